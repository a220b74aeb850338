const PATHS = {
  send: "M12 20V5m0 0-6.5 6.5M12 5l6.5 6.5",
  close: "m6 6 12 12M18 6 6 18",
  fresh: "M12 5v14M5 12h14",
  back: "M15 5l-7 7 7 7",
  launch: "M5 18.5V7a2 2 0 0 1 2-2h10a2 2 0 0 1 2 2v7a2 2 0 0 1-2 2H8z",
  privacy: "M12 4.5 6 7v4.5c0 3.6 2.5 6.4 6 8 3.5-1.6 6-4.4 6-8V7z",
  done: "m5 12.5 4.5 4.5L19 7.5",
  open: "M12 5.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13z",
} as const;

export function Icon({ name }: { name: keyof typeof PATHS }) {
  return (
    <svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" focusable="false" class={name}>
      <path
        d={PATHS[name]}
        fill="none"
        stroke="currentColor"
        stroke-width="2"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
  );
}
