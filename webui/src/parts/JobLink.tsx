/** A job's id, short, leading to the job. */

import { shortenId } from "../figures/format.ts";
import { Link } from "../router/Link.tsx";

export function JobLink({ id }: { id: string }) {
  return (
    <Link to={`/jobs/${encodeURIComponent(id)}`} class="id" title={id}>
      {shortenId(id)}
    </Link>
  );
}
