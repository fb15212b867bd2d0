/** Other answers to the newest clicks: small pictures to choose from. */

import { useEffect, useRef } from "preact/hooks";
import type { Mask } from "../masks.ts";
import type { Offer } from "../types.ts";
import { useApp } from "./context.ts";
import { Sheet } from "./sheet.tsx";

const HOW: Record<string, string> = {
  "words and prompts": "The words and the clicks",
  "prompts alone": "The clicks alone",
  "words alone": "The words alone",
  again: "The clicks, asked twice",
  piece: "The piece that was clicked",
  tighter: "This mask, tighter",
  looser: "This mask, looser",
  "largest part": "Its largest part only",
};

export function Answers() {
  const app = useApp();
  const answers = app.answers.value;
  return (
    <Sheet
      title="Other answers"
      wide
      onKey={(key) => {
        const offer = answers.find(({ number }) => key === String(number + 1));
        if (offer) void app.choose(offer);
        return offer !== undefined;
      }}
    >
      <p class="muted">
        What the model draws at the same clicks, told other things, and the mask drawn otherwise. Undo brings
        it back.
      </p>
      <ul class="answers">
        {answers.map((offer) => (
          <li key={offer.number}>
            <button type="button" data-answer={offer.number} onClick={() => void app.choose(offer)}>
              <Preview offer={offer} />
              <span>
                <kbd>{offer.number + 1}</kbd> {HOW[offer.how] ?? offer.how}
              </span>
              <span class="muted">{aboutOf(offer)}</span>
            </button>
          </li>
        ))}
      </ul>
    </Sheet>
  );
}

function aboutOf(offer: Offer): string {
  const score = offer.score === null ? "" : `score ${offer.score.toFixed(2)} · `;
  const kept = offer.followed < 1 ? ` · keeps to ${Math.round(100 * offer.followed)} % of the clicks` : "";
  return offer.pixels ? `${score}${offer.pixels} pixels${kept}` : `${score}nothing${kept}`;
}

function Preview({ offer }: { offer: Offer }) {
  const app = useApp();
  const ref = useRef<HTMLCanvasElement>(null);
  const mask = app.answerMask(offer);
  const others = app.answers.value
    .map((one) => app.answerMask(one))
    .filter((one): one is Mask => one !== null);
  const colour = app.finding.value?.colour ?? "#ffffff";
  useEffect(() => {
    if (ref.current && mask) app.stage?.preview(ref.current, mask, others, colour);
  });
  return <canvas ref={ref} width={480} height={360} class={mask ? "ready" : ""} />;
}
