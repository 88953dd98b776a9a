// What a click on a button of a session sends.

import type { UIButton, UIInputSpec, UIInputStatus } from "../wire/types";

/** What was entered, by the input's name. */
export type Entered = Readonly<Record<string, string | boolean>>;

export const inputName = (input: UIInputSpec): string => input.name ?? "";
export const inputLabel = (input: UIInputSpec): string => input.label || inputName(input);
export const visibleInputs = (button: UIButton): UIInputSpec[] => (button.spec?.inputs ?? []).filter((input) => !input.hidden);

/** Returns what an input holds before anybody touched it: what was entered last time if that still fits. */
export function startValue(input: UIInputSpec, last: Entered): string | boolean {
  const before = last[inputName(input)];
  if (input.bool) return typeof before === "boolean" ? before : (input.bool.defaultValue ?? false);
  if (input.choice) {
    const choices = input.choice.choices ?? [];
    return typeof before === "string" && choices.includes(before) ? before : (choices[0] ?? "");
  }
  return typeof before === "string" ? before : (input.text?.defaultValue ?? "");
}

function valueOf(input: UIInputSpec, entered: Entered): UIInputStatus {
  const name = inputName(input);
  if (input.hidden) return { name, hidden: { value: input.hidden.value } };
  const value = entered[name] ?? startValue(input, {});
  if (input.bool) return { name, bool: { value: value === true } };
  if (input.choice) return { name, choice: { value: String(value) } };
  return { name, text: { value: String(value) } };
}

/** Returns the button with a click in its status, as it is sent. */
export function clicked(button: UIButton, entered: Entered, now: Date): UIButton {
  const lastClickedAt = now.toISOString().replace("Z", "000Z");
  return {
    ...button,
    apiVersion: "tilt.dev/v1alpha1",
    kind: "UIButton",
    status: { ...button.status, lastClickedAt, inputs: (button.spec?.inputs ?? []).map((input) => valueOf(input, entered)) },
  };
}

/** Returns an SVG of a button as something that can only be looked at: as an image it runs nothing and loads nothing. */
export const svgImage = (svg: string): string => `data:image/svg+xml,${encodeURIComponent(svg)}`;
