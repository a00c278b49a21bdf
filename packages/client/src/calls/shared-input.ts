/** Encodes a value to be shared. */
import { EncodingError, encodeValue, encodeValues, inBlobs, type SharedContent, sharedContent } from '@poolmq/shared'

/** @param place - what the value is to the reader of an error. @throws EncodingError */
export function shareable(value: unknown, place: string): SharedContent {
  try {
    return sharedContent(inBlobs(encodeValues([value], place)))
  } catch (error) {
    if (error instanceof EncodingError) encodeValue(value, place) // the same error, with the place as the caller knows it
    throw error
  }
}
