/** A sheet over the page: it takes the focus, Escape and a click beside it close it. */

import { useEffect, useRef } from "preact/hooks";
import { useApp } from "./context.ts";
import { Icon } from "./icons.tsx";

export function Sheet({
  title,
  children,
  wide,
  onKey,
}: {
  title: string;
  children: preact.ComponentChildren;
  wide?: boolean;
  onKey?: (key: string) => boolean;
}) {
  const app = useApp();
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    ref.current?.showModal();
    return () => (before instanceof HTMLElement ? before.focus() : undefined);
  }, []);
  const close = () => {
    app.dialog.value = null;
  };
  return (
    <dialog
      ref={ref}
      class={wide ? "wide" : ""}
      aria-label={title}
      onClose={close}
      onKeyDown={(event) => onKey?.(event.key) && event.preventDefault()}
      onClick={(event) => event.target === ref.current && close()}
    >
      <header class="pane-head">
        <h2>{title}</h2>
        <span class="push" />
        <button type="button" class="quiet" aria-label="Close" onClick={close}>
          <Icon name="close" />
        </button>
      </header>
      {children}
    </dialog>
  );
}
