import assert from "node:assert/strict";
import { test } from "node:test";
import type { Triple } from "../../src/masks.ts";
import type { Head } from "../../src/nifti.ts";
import { halved, sheetOf } from "../../src/plain.ts";
import { type Eye, fractionOf, type Layout, pointOf, screenOf, tilesOf, turnOf } from "../../src/tiles.ts";

function head(dims: Triple, rows: [Triple, Triple, Triple]): Head {
  const steps = [0, 1, 2].map((axis) =>
    Math.hypot(...rows.map((row) => row[axis] as number)),
  ) as unknown as Triple;
  return { dims, steps, rows, offset: 352, datatype: 2, version: 1 };
}

const SCREEN = { width: 900, height: 640, ratio: 1, gap: 4 };
const EYE: Eye = { middle: [0.5, 0.5, 0.5], zoom: 1 };
// Axes of the grid: towards the feet, the patient's right, the front.
const TURNED = head(
  [12, 20, 16],
  [
    [0, 1.5, 0],
    [0, 0, 2],
    [-3, 0, 0],
  ],
);

test("axes are told by the affine, with their direction", () => {
  const turn = turnOf(TURNED);
  assert.deepEqual(turn.axis, [1, 2, 0]);
  assert.deepEqual(turn.flipped, [false, false, true]);
  assert.deepEqual(turn.steps, [3, 1.5, 2]);
});

test("the patient's right and front are at the left, head and front up", () => {
  const { tiles, solid } = tilesOf(turnOf(TURNED), "all", SCREEN, EYE, [5, 6, 7]);
  assert.deepEqual(
    tiles.map(({ kind, axis, index, across, down }) => [kind, axis, index, across, down]),
    [
      [0, 0, 5, 1, 2],
      [1, 2, 7, 1, 0],
      [2, 1, 6, 2, 0],
    ],
  );
  for (const tile of tiles) assert.ok(tile.x.step < 0, "right or front is at the right");
  assert.ok((tiles[0]?.y.step ?? 0) < 0, "the front is not up");
  assert.ok((tiles[1]?.y.step ?? 0) > 0, "towards the feet is not down");
  assert.ok(solid && solid.left > (tiles[0]?.rect.left ?? 0) + (tiles[0]?.rect.width ?? 0));
});

test("the whole plane fills its tile, edge to edge", () => {
  for (const tile of tilesOf(turnOf(TURNED), "all", SCREEN, EYE, [0, 0, 0]).tiles) {
    const ends = [-0.5, (TURNED.dims[tile.across] as number) - 0.5].map(
      (at) => tile.x.start + tile.x.step * at,
    );
    assert.ok(Math.abs(Math.min(...ends) - tile.rect.left) < 1e-9);
    assert.ok(Math.abs(Math.max(...ends) - tile.rect.left - tile.rect.width) < 1e-9);
  }
});

test("a plane alone keeps its shape and is as large as fits", () => {
  const [tile] = tilesOf(turnOf(TURNED), "coronal", SCREEN, EYE, [0, 0, 0]).tiles;
  assert.ok(tile);
  assert.ok(Math.abs(Math.abs(tile.x.step) / 1.5 - Math.abs(tile.y.step) / 3) < 1e-9);
  assert.ok(Math.abs(Math.abs(tile.y.step) * 12 - SCREEN.height) < 1e-6);
});

test("points go to the screen and back, however it is enlarged", () => {
  for (const layout of ["all", "axial", "sagittal"] as Layout[])
    for (const eye of [EYE, { middle: [0.2, 0.7, 0.4] as Triple, zoom: 3.5 }])
      for (const tile of tilesOf(turnOf(TURNED), layout, { ...SCREEN, ratio: 2 }, eye, [3, 4, 5]).tiles) {
        const point: Triple = [3, 4, 5];
        const back = pointOf(tile, ...screenOf(tile, point));
        for (let axis = 0; axis < 3; axis++)
          assert.ok(Math.abs((back[axis] as number) - (point[axis] as number)) < 1e-9);
        const middle = pointOf(
          tile,
          tile.rect.left + tile.rect.width / 2,
          tile.rect.top + tile.rect.height / 2,
        );
        const seen = fractionOf(turnOf(TURNED), middle);
        const through = turnOf(TURNED).axis.indexOf(tile.axis);
        seen.forEach((at, world) => {
          if (world !== through) assert.ok(Math.abs(at - (eye.middle[world] as number)) < 1e-9);
        });
      }
});

test("a 3-D picture alone has no planes", () => {
  const { tiles, solid } = tilesOf(turnOf(TURNED), "3d", SCREEN, EYE, [0, 0, 0]);
  assert.deepEqual([tiles.length, solid?.width], [0, 900]);
});

test("planes of a volume, the lower axis fastest", () => {
  const values = Int16Array.from({ length: 24 }, (_, n) => n);
  const grid = { dims: [2, 3, 4] as Triple, values, channels: 1 as const };
  assert.deepEqual([...sheetOf(grid, 2, 1).values], [6, 7, 8, 9, 10, 11]);
  assert.deepEqual([...sheetOf(grid, 1, 2).values], [4, 5, 10, 11, 16, 17, 22, 23]);
  const side = sheetOf(grid, 0, 1);
  assert.deepEqual([side.w, side.h, ...side.values], [3, 4, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23]);
});

test("half the size is the mean of four, channels apart", () => {
  const grey = { w: 3, h: 2, channels: 1 as const, values: Uint8Array.from([0, 10, 40, 20, 30, 60]) };
  assert.deepEqual(halved(grey), { w: 2, h: 1, channels: 1, values: Uint8Array.from([15, 50]) });
  const colour = { w: 2, h: 1, channels: 3 as const, values: Uint8Array.from([0, 100, 200, 50, 0, 100]) };
  assert.deepEqual([...halved(colour).values], [25, 50, 150]);
});
