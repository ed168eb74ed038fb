/** Speech as numbers: decoding what the browser can read, and writing what a telephone carries. */

/** Samples per second: enough for speech, and an hour of it still fits into memory. */
const PLAYED_RATE = 16_000;
export const TELEPHONE_RATE = 8_000;

/** The browser cannot read these bytes as sound. */
export class Unreadable extends Error {}

/** Reads any recording that the browser knows, resampled to `rate`. Throws `Unreadable`. */
export async function decode(bytes: ArrayBuffer, rate = PLAYED_RATE): Promise<AudioBuffer> {
  try {
    return await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes);
  } catch {
    throw new Unreadable();
  }
}

/** All channels as one. */
export function mono(sound: AudioBuffer): Float32Array {
  const channels = Array.from({ length: sound.numberOfChannels }, (_, index) => sound.getChannelData(index));
  const [first] = channels;
  if (first === undefined || channels.length === 1) return first ?? new Float32Array();
  return first.map((_, at) => channels.reduce((sum, one) => sum + (one[at] ?? 0), 0) / channels.length);
}

/** The loudest sample in each of `count` equal pieces, from 0 to 1 of the loudest of all. */
export function peaks(samples: Float32Array, count: number): number[] {
  const piece = samples.length / count;
  const found = Array.from({ length: count }, (_, index) => {
    let most = 0;
    const end = Math.floor((index + 1) * piece);
    for (let at = Math.floor(index * piece); at < end; at += 1)
      most = Math.max(most, Math.abs(samples[at] ?? 0));
    return most;
  });
  const loudest = Math.max(...found, 0.02);
  return found.map((one) => one / loudest);
}

const HEADER = 44;

/** A RIFF/WAVE file: one channel, 16 bits a sample, little-endian. */
export function wav(samples: Float32Array, rate: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER + samples.length * 2);
  const view = new DataView(bytes.buffer);
  const word = (at: number, text: string) => bytes.set(new TextEncoder().encode(text), at);
  word(0, "RIFF");
  view.setUint32(4, bytes.length - 8, true);
  word(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  word(36, "data");
  view.setUint32(40, samples.length * 2, true);
  samples.forEach((one, index) => {
    view.setInt16(HEADER + index * 2, Math.max(-1, Math.min(1, one)) * 0x7fff, true);
  });
  return bytes;
}

/** Any recording as a telephone would carry it. Throws `Unreadable`. */
export async function telephoneWav(recording: Blob): Promise<File> {
  const sound = await decode(await recording.arrayBuffer(), TELEPHONE_RATE);
  const name = recording instanceof File ? recording.name.replace(/\.[^.]*$/, "") : "speech";
  return new File([wav(mono(sound), TELEPHONE_RATE)], `${name}.wav`, { type: "audio/wav" });
}
