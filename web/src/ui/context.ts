import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { App } from "../app.ts";

export const Shared = createContext<App | null>(null);

export function useApp(): App {
  const app = useContext(Shared);
  if (!app) throw new Error("no page around this part");
  return app;
}
