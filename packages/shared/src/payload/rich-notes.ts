/**
 * The form of rich text: what JSON cannot say, beside JSON that native code writes and reads. It is `[trees, notes]`. The first
 * tree is the value, with null in the place of all that is not JSON; what each null stands for is noted, in the order in which
 * they are met. A note is a code, and what belongs to it. The contents of maps, errors and the like are trees of their own, in
 * the order of their notes; they are met after the trees before them.
 *
 * Objects, and long texts, are counted as they are met: one that is met again is noted by its number.
 */
export const Note = {
  null: 0,
  undefined: 1,
  hole: 2,
  nan: 3,
  infinity: 4,
  minusInfinity: 5,
  minusZero: 6,
  /** Milliseconds, or null. */
  date: 7,
  /** Digits. */
  bigint: 8,
  /** The number of an object. */
  again: 9,
  /** No more here; key, value, key, value … in a tree. */
  map: 10,
  /** Members in a tree. */
  set: 11,
  /** Ids of its classes, name, message, stack or null; its properties, cause and members in a tree. */
  error: 12,
  /** An array with other keys than indices, or with few elements: its length; key, value … in a tree. */
  keyedArray: 13,
  /** An object with `__proto__` as a key of its own: key, value … in a tree. */
  keyedObject: 14,
  /** An object without prototype: key, value … in a tree. */
  bareObject: 15,
  /** Source, flags. */
  regExp: 16,
  /** Class, text. */
  boxed: 17,
  /** Text. */
  url: 18,
  searchParams: 19,
  /** Bytes: base64, or the number of a blob. */
  arrayBuffer: 20,
  /** Class, offset, length; its ArrayBuffer follows as a note. */
  view: 21,
  /** An array of numbers alone: bytes of each, bytes. */
  numbers: 22,
  /** The number of a blob, in UTF-8 or UTF-16. */
  utf8: 23,
  utf16: 24,
  /** The hash of a value that is kept elsewhere. */
  shared: 25,
} as const

/** Characters from which on a text is counted as an object is. */
export const longText = 1024
