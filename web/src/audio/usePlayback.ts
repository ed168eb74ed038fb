import { useEffect, useRef, useState } from "react";

let shared: AudioContext | null = null;
let hush: (() => void) | null = null;

/** Made by the first click: browsers let no page sound before. */
function context(): AudioContext {
  shared ??= new AudioContext();
  void shared.resume();
  return shared;
}

export interface Playback {
  playing: boolean;
  /** Seconds from the beginning. */
  position: number;
  duration: number;
  toggle: () => void;
  /** Goes to a second; plays on from there, or begins to where `play` says so. */
  seek: (second: number, play?: boolean) => void;
}

/**
 * Plays decoded sound; one at a time on the whole page. Without an audio element, because the decoded samples are
 * there for the picture anyway, and seeking in them is exact whatever the container was.
 */
export function usePlayback(sound: AudioBuffer | undefined): Playback {
  const [playing, setPlaying] = useState(false);
  const [position, setPosition] = useState(0);
  const source = useRef<{ node: AudioBufferSourceNode; startedAt: number } | null>(null);
  const duration = sound?.duration ?? 0;

  function stop(): void {
    const running = source.current;
    source.current = null;
    if (running !== null) {
      running.node.onended = null;
      running.node.stop();
    }
    setPlaying(false);
  }

  function start(from: number): void {
    if (sound === undefined) return;
    stop();
    if (hush !== null) hush();
    hush = stop;
    const audio = context();
    const node = audio.createBufferSource();
    node.buffer = sound;
    node.connect(audio.destination);
    node.onended = () => {
      stop();
      setPosition(0);
    };
    node.start(0, from);
    source.current = { node, startedAt: audio.currentTime - from };
    setPosition(from);
    setPlaying(true);
  }

  useEffect(() => {
    if (!playing) return;
    let frame = 0;
    const follow = () => {
      if (source.current !== null) {
        setPosition(Math.min(duration, context().currentTime - source.current.startedAt));
        frame = requestAnimationFrame(follow);
      }
    };
    frame = requestAnimationFrame(follow);
    return () => cancelAnimationFrame(frame);
  }, [playing, duration]);

  useEffect(
    () => () => {
      source.current?.node.stop();
      source.current = null;
    },
    [],
  );

  return {
    playing,
    position,
    duration,
    toggle: () => (playing ? stop() : start(position)),
    seek: (second, play = false) => {
      const wanted = Math.max(0, Math.min(duration, second));
      if (playing || play) start(wanted);
      else setPosition(wanted);
    },
  };
}
