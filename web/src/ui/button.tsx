import { Icon, type IconName } from "./icons.tsx";

interface Props {
  icon: IconName;
  name: string;
  keys?: string;
  pressed?: boolean;
  disabled?: boolean;
  label?: boolean;
  kind?: string;
  onClick: () => void;
}

/** A button with a drawing; its name shows as a tip, beside the drawing where `label` says so. */
export function IconButton({ icon, name, keys, pressed, disabled, label, kind = "", onClick }: Props) {
  const state = pressed === undefined ? {} : { "aria-pressed": pressed };
  return (
    <button
      type="button"
      class={`tool ${kind}`}
      title={keys ? `${name} (${keys})` : name}
      aria-label={name}
      disabled={disabled ?? false}
      onClick={onClick}
      {...state}
    >
      <Icon name={icon} />
      {label ? <span class="label">{name}</span> : null}
    </button>
  );
}
