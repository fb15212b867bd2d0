/** Small drawings for buttons: paths on a grid of 24. They say nothing: the button has a name. */

const PATHS = {
  look: "M5 3l14 8-6 1.5L10 19z",
  window: "M12 3a9 9 0 100 18V3z M12 3a9 9 0 010 18",
  add: "M12 5v14M5 12h14",
  remove: "M5 12h14",
  box: "M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4",
  brush: "M4 20c3 0 5-1 5-4a3 3 0 013-3l8-9M12 13l2 2 7-10",
  erase: "M9 20h11M5 15l8-9 6 5-8 9H9z",
  undo: "M9 7L4 12l5 5M4 12h10a6 6 0 016 6",
  redo: "M15 7l5 5-5 5M20 12H10a6 6 0 00-6 6",
  accept: "M5 12.5l4.5 4.5L19 7.5",
  save: "M5 4h11l3 3v13H5zM8 4v5h7V4M8 20v-6h8v6",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 9.2a2.8 2.8 0 100 5.6 2.8 2.8 0 000-5.6z",
  hide: "M4 4l16 16M9.5 6c.8-.3 1.600-.5 2.500-.5 6 0 9.500 6.500 9.500 6.500s-1 1.900-3 3.600M6 8c-2.200 1.700-3.500 4-3.500 4S6 18.500 12 18.500c1 0 1.900-.2 2.700-.4",
  map: "M12 3c4 4.500 6 7.500 6 10.500a6 6 0 01-12 0C6 10.500 8 7.500 12 3z",
  zoomIn:
    "M10.500 4a6.500 6.500 0 100 13 6.500 6.500 0 000-13zM15.500 15.500L20 20M10.500 7.500v6M7.500 10.500h6",
  zoomOut: "M10.500 4a6.500 6.500 0 100 13 6.500 6.500 0 000-13zM15.500 15.500L20 20M7.500 10.500h6",
  fit: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  table: "M4 5h16v14H4zM4 10h16M10 5v14",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  help: "M9 9a3 3 0 116 0c0 2-3 2.500-3 5M12 17.500v.5",
  light: "M12 8a4 4 0 100 8 4 4 0 000-8zM12 2v3M12 19v3M2 12h3M19 12h3M5 5l2 2M17 17l2 2M19 5l-2 2M7 17l-2 2",
  dark: "M20 14.500A8.500 8.500 0 119.500 4a7 7 0 0010.500 10.500z",
  auto: "M12 4a8 8 0 100 16 8 8 0 000-16zM12 4v16",
  plus: "M12 5v14M5 12h14",
  close: "M6 6l12 12M18 6L6 18",
  back: "M14 6l-6 6 6 6",
  stop: "M7 7h10v10H7z",
  file: "M6 3h8l4 4v14H6zM14 3v4h4",
  folder: "M3 6h6l2 2h10v11H3z",
  search: "M10.500 4a6.500 6.500 0 100 13 6.500 6.500 0 000-13zM15.500 15.500L20 20",
  warn: "M12 4l9 16H3zM12 10v4M12 17v.3",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
