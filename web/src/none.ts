/** Stands in for what NiiVue can read and this page never does (compressed Zarr). */
export default {
  fromConfig(): never {
    throw new Error("this page reads no Zarr");
  },
};
