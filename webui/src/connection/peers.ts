/** The brokers that this page may talk to, its own first. */

export function readOrigins(page: Document, location: Location): string[] {
  const meta = page.querySelector<HTMLMetaElement>("meta[name=osqueue-peers]");
  return [location.origin, ...(meta?.content ?? "").split(/\s+/).filter((one) => one !== "")];
}
