/**
 * Everything that is used of `yaml`, for a lazy `import()`: imported lazily by itself, its CommonJS
 * would have no named exports in the bundle.
 */
export {
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  parse,
  parseAllDocuments,
  parseDocument,
  YAMLParseError,
} from 'yaml';
