const HUB_HOSTS: ReadonlySet<string> = new Set(['index.docker.io', 'registry-1.docker.io']);

/**
 * Returns the one spelling by which hosts are compared: lower case, without the port that https has
 * anyway, and `docker.io` for each name of Docker Hub. Requests and logins use hosts as typed.
 */
export function canonicalHost(host: string): string {
  const lower = host.toLowerCase().replace(/:443$/, '');
  return HUB_HOSTS.has(lower) ? 'docker.io' : lower;
}
