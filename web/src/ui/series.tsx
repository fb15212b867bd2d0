/** Which of several DICOM series is meant. */

import { useState } from "preact/hooks";
import { useApp } from "./context.ts";
import { Sheet } from "./sheet.tsx";

export function Series() {
  const app = useApp();
  const several = app.several.value;
  const series = several?.series ?? [];
  const [token, setToken] = useState(series.find(({ chosen }) => chosen)?.token ?? series[0]?.token ?? "");
  if (!several) return null;
  return (
    <Sheet title="Which series?">
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void app.takeSeries(token);
        }}
      >
        <p class="muted">These files hold {series.length} series. One of them is read.</p>
        <fieldset class="choices">
          <legend class="sr">Series</legend>
          {series.map((one) => (
            <label key={one.token} class={one.token === token ? "on" : ""} data-series={one.token}>
              <input
                type="radio"
                name="series"
                checked={one.token === token}
                onChange={() => setToken(one.token)}
              />
              <span>
                {one.title.replace(/^\S+\)\s*/, "")}
                {one.chosen ? <span class="muted"> · the usual choice</span> : null}
              </span>
            </label>
          ))}
        </fieldset>
        <button type="submit" class="primary">
          Read this one
        </button>
      </form>
    </Sheet>
  );
}
