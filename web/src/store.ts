/** What the browser keeps for the page; where it keeps nothing (all cookies blocked) the page does, until it is left. */

export function store(kind: "localStorage" | "sessionStorage"): {
  get: (name: string) => string | null;
  set: (name: string, value: string) => void;
} {
  const here = new Map<string, string>();
  return {
    get: (name) => {
      try {
        return window[kind].getItem(name) ?? here.get(name) ?? null;
      } catch {
        return here.get(name) ?? null;
      }
    },
    set: (name, value) => {
      here.set(name, value);
      try {
        window[kind].setItem(name, value);
      } catch {
        // it stays with the page
      }
    },
  };
}
