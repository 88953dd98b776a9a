import { expect, test } from "vitest";
import { chosen, everything, flattened, grouped, nextSort, rowsWithin, type Choice, type Group } from "../src/core/groups";
import { resource, rows } from "./make";

const off = { disableStatus: { enabledCount: 0, disabledCount: 1, state: "Disabled", sources: [] } };
const names = (list: readonly { name: string }[]) => list.map((row) => row.name);
const of = (choice: Partial<Choice>, ...resources: Parameters<typeof rows>) => names(chosen(rows(...resources), { ...everything, ...choice }));

test("all words of the filter must be in the name", () => {
  const all = [resource("web-api"), resource("web"), resource("API")] as const;
  expect(of({ name: " api WEB " }, ...all)).toEqual(["web-api"]);
  expect(of({ name: "api" }, ...all)).toEqual(["API", "web-api"]);
});

test("disabled ones are shown when asked for, at the end", () => {
  const all = [resource("a", { ...off, order: 1 }), resource("b", { order: 2 })] as const;
  expect(of({}, ...all)).toEqual(["b"]);
  expect(of({ showDisabled: true }, ...all)).toEqual(["b", "a"]);
});

test("errors come first when sorted by status, then names", () => {
  const all = [resource("c"), resource("b", { updateStatus: "error" }), resource("a")] as const;
  expect(of({ sort: { key: "status", descending: false } }, ...all)).toEqual(["b", "a", "c"]);
  expect(of({ sort: { key: "name", descending: true } }, ...all)).toEqual(["c", "b", "a"]);
});

test("a click on a column sorts up, then down, then not", () => {
  const up = nextSort(undefined, "name");
  const down = nextSort(up, "name");
  expect([up, down, nextSort(down, "name")]).toEqual([{ key: "name", descending: false }, { key: "name", descending: true }, undefined]);
  expect(nextSort(down, "type")).toEqual({ key: "type", descending: false });
});

test("a label with a slash is a group within a group", () => {
  const all = rows(resource("api", {}, ["shop/back"]), resource("db", {}, ["shop/back", "data"]), resource("web", {}, ["shop"]), resource("x"), resource("(Tiltfile)"));
  const groups = grouped(all);
  expect(groups.map((group) => group.id)).toEqual(["data", "shop", "unlabeled", "Tiltfile"]);
  const shop = groups[1]!;
  expect([shop.groups[0]!.id, shop.groups[0]!.title, shop.groups[0]!.depth]).toEqual(["shop/back", "back", 1]);
  expect(names(rowsWithin(shop))).toEqual(["web", "api", "db"]);
});

test("labels that begin with another one, or alike up to a dot, are groups within a group; one that is alone keeps its dot", () => {
  const all = rows(resource("web", {}, ["shop"]), resource("cart", {}, ["shop.cart"]), resource("a", {}, ["v1.alpha"]), resource("b", {}, ["v1.beta.x"]), resource("c", {}, ["node.js"]));
  const shape = (groups: readonly Group[]): unknown[] => groups.map(({ id, title, rows, groups }) => [id, title, names(rows), ...shape(groups)]);
  expect(shape(grouped(all))).toEqual([
    ["node.js", "node.js", ["c"]],
    ["shop", "shop", ["web"], ["shop.cart", "cart", ["cart"]]],
    ["v1", "v1", [], ["v1.alpha", "alpha", ["a"]], ["v1.beta.x", "beta.x", ["b"]]],
  ]);
});

test("of a closed group only its head is drawn", () => {
  const groups = grouped(rows(resource("a", {}, ["x"]), resource("b", {}, ["x/y"])));
  const seen = (closed: string[]) => flattened(groups, (id) => closed.includes(id)).map((item) => (item.kind === "group" ? item.group.id : item.row.name));
  expect(seen([])).toEqual(["x", "a", "x/y", "b"]);
  expect(seen(["x/y"])).toEqual(["x", "a", "x/y"]);
  expect(seen(["x"])).toEqual(["x"]);
});
