/** Jobs: the list, or at /jobs/ID one of them alone. */

import { Link } from "../../router/Link.tsx";
import { navigate, path } from "../../router/router.ts";
import { JobListing } from "./JobListing.tsx";
import { JobView } from "./JobView.tsx";
import "./jobs.css";

export function JobsPage() {
  const id = idOf(path.value);
  if (id === undefined) return <JobListing />;
  return (
    <article class="job-page">
      <nav class="trail" aria-label="Where this is">
        <Link to="/jobs">Jobs</Link> <span aria-hidden="true">/</span> <span class="id">{id}</span>
      </nav>
      <h1 class="spoken">Job {id}</h1>
      <JobView id={id} onGone={() => navigate("/jobs")} />
    </article>
  );
}

function idOf(address: string): string | undefined {
  const encoded = /^\/jobs\/([^/]+)$/.exec(address)?.[1];
  if (encoded === undefined) return undefined;
  try {
    return decodeURIComponent(encoded);
  } catch {
    // A lone % or half a character, typed by hand: no id has one.
    return encoded;
  }
}
