/** What modules of the page expect of a browser, for tests without one. Import this first. */

import { vi } from "vitest";
import { TestSocket } from "./connection/test_socket.ts";

const stored = new Map<string, string>();

/** The local storage of this test file. */
export const storage = {
  getItem: (key: string) => stored.get(key) ?? null,
  setItem: (key: string, value: string) => void stored.set(key, value),
};

const target = new EventTarget();

vi.stubGlobal("document", { querySelector: () => null });
vi.stubGlobal("location", new URL("http://a:1/"));
vi.stubGlobal("localStorage", storage);
vi.stubGlobal("WebSocket", TestSocket);
vi.stubGlobal("addEventListener", target.addEventListener.bind(target));
vi.stubGlobal("dispatchEvent", target.dispatchEvent.bind(target));
