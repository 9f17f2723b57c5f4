import { describe, expect, test } from "vitest";
import { addressOf, Route, websocketUrl } from "../../src/connection/route.ts";

const A = "http://10.0.0.7:8080";
const B = "http://10.0.0.8:8080";
const C = "https://c.example";

function makeRoute(...origins: string[]): Route {
  return new Route(origins, () => 1);
}

describe("trouble", () => {
  test("the peers are tried in turn, and round again", () => {
    const route = makeRoute(A, B, C);
    const tried = [route.origin];
    for (let count = 0; count < 3; count++) {
      route.failed();
      tried.push(route.origin);
    }
    expect(tried).toEqual([A, B, C, A]);
  });

  test("the wait grows with each round, to five seconds, and ends with success", () => {
    const route = makeRoute(A);
    const waits = Array.from({ length: 7 }, () => {
      route.failed();
      return route.waitMs();
    });
    expect(waits).toEqual([250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
    route.served();
    expect(route.waitMs()).toBe(0);
  });
});

describe("a broker that does not lead", () => {
  test("sends the page to the leader, wherever that stands in the list", () => {
    const route = makeRoute(A, B, C);
    route.refused(7, "c.example:443");
    expect(route.origin).toBe(C);
    route.served();
    route.failed();
    expect(route.origin).not.toBe(C);
  });

  test("is not believed about an older term", () => {
    const route = makeRoute(A, B, C);
    route.refused(7, "c.example:443");
    route.refused(6, "10.0.0.8:8080");
    expect(route.origin).not.toBe(C);
    expect(route.elsewhere).toBe("");
  });

  test("names a leader that the page must not follow: it is shown instead", () => {
    const route = makeRoute(A);
    route.refused(7, "10.9.9.9:8080");
    expect(route.origin).toBe(A);
    expect(route.elsewhere).toBe("10.9.9.9:8080");
    route.served();
    expect(route.elsewhere).toBe("");
  });

  test("knows nobody: the others are asked", () => {
    const route = makeRoute(A, B);
    route.refused(7, "");
    expect(route.origin).toBe(B);
    expect(route.elsewhere).toBe("");
  });
});

test("the broker that served is the first one tried again", () => {
  const route = makeRoute(A, B);
  route.failed();
  route.served();
  expect(route.origin).toBe(B);
});

test("addresses", () => {
  expect(addressOf("http://localhost:8080")).toBe("127.0.0.1:8080");
  expect(addressOf("http://[::1]:8080")).toBe("127.0.0.1:8080");
  expect(addressOf("https://c.example")).toBe("c.example:443");
  expect(addressOf("http://[fd00::7]:8080")).toBe("[fd00::7]:8080");
  expect(websocketUrl(C)).toBe("wss://c.example/v1/ws");
});
