#!/usr/bin/env node
// It knows by which name it was started.
await import(new URL('regi.js', import.meta.url).href);
