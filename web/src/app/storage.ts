// What the browser remembers, under the names that Tilt's page uses.

function read<T>(storage: Storage, key: string, otherwise: T): T {
  try {
    const text = storage.getItem(key);
    return text === null ? otherwise : (JSON.parse(text) as T);
  } catch {
    return otherwise;
  }
}

function write(storage: Storage, key: string, value: unknown): void {
  try {
    storage.setItem(key, JSON.stringify(value));
  } catch {
    // Without room it is only not remembered.
  }
}

const keyOf = (tiltfileKey: string, key: string): string => `tilt-${JSON.stringify({ tiltfileKey, key })}`;

export const project = {
  read: <T>(tiltfile: string, key: string, otherwise: T): T => read(localStorage, keyOf(tiltfile, key), otherwise),
  write: (tiltfile: string, key: string, value: unknown): void => write(localStorage, keyOf(tiltfile, key), value),
};

export const visit = {
  read: <T>(tiltfile: string, key: string, otherwise: T): T => read(sessionStorage, keyOf(tiltfile, key), otherwise),
  write: (tiltfile: string, key: string, value: unknown): void => write(sessionStorage, keyOf(tiltfile, key), value),
};

export const everywhere = {
  read: <T>(key: string, otherwise: T): T => read(localStorage, `tilt.global.${key}`, otherwise),
  write: (key: string, value: unknown): void => write(localStorage, `tilt.global.${key}`, value),
};
