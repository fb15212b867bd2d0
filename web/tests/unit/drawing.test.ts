import assert from "node:assert/strict";
import { test } from "node:test";
import { isSoftware } from "../../src/graphics.ts";
import { captionOf } from "../../src/overlay.ts";

const wide = (text: string) => 8 * text.length;

test("a caption is cut to its plane, not by its edge", () => {
  const shape = { number: 3, name: "small well-circumscribed homogeneous cyst of the left kidney" };
  for (const room of [40, 90, 150, 300, 1000]) {
    const text = captionOf(shape, room, wide);
    assert.ok(wide(text) <= room, `${text} in ${room}`);
    assert.ok(text.startsWith("3"));
  }
  assert.equal(captionOf(shape, 50, wide), "3");
  assert.match(captionOf(shape, 150, wide), /^3 {2}small.*…$/);
  assert.equal(captionOf({ number: 1, name: "cyst" }, 150, wide), "1  cyst");
});

test("a renderer on the processor is known by its name", () => {
  for (const name of [
    "ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device (Subzero) (0x0000C0DE)), SwiftShader driver)",
    "llvmpipe (LLVM 15.0.7, 256 bits)",
    "ANGLE (Microsoft, Microsoft Basic Render Driver Direct3D11 vs_5_0 ps_5_0, D3D11)",
  ])
    assert.equal(isSoftware(name), true, name);
  for (const name of [
    "ANGLE (NVIDIA, NVIDIA GeForce RTX 3060 Direct3D11 vs_5_0 ps_5_0, D3D11)",
    "ANGLE (Apple, ANGLE Metal Renderer: Apple M2, Unspecified Version)",
    "Mesa Intel(R) UHD Graphics 620 (KBL GT2)",
  ])
    assert.equal(isSoftware(name), false, name);
});
