/** One module of ours for all that is used of `yaml`: imported lazily by itself, its CommonJS would have no named exports in the bundle. */
export { parse, YAMLParseError } from 'yaml';
