// A component that is drawn anew only when something that it is given differs.

import { Component, h, type ComponentType, type VNode } from "preact";

export function memo<P extends object>(Inner: ComponentType<P>): ComponentType<P> {
  return class Memo extends Component<P> {
    override shouldComponentUpdate(next: P): boolean {
      const [a, b] = [this.props as Record<string, unknown>, next as Record<string, unknown>];
      const keys = Object.keys(b);
      return keys.length !== Object.keys(a).length || keys.some((key) => key !== "children" && a[key] !== b[key]);
    }
    override render(props: P): VNode {
      return h(Inner as ComponentType<object>, props);
    }
  } as unknown as ComponentType<P>;
}
