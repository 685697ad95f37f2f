package media

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/pion/opus"
	"github.com/pion/opus/pkg/oggreader"
)

// Limits of what is decoded, and the form of the result.
const (
	bars = 64 // of a waveform, as WhatsApp's clients draw it
	// maxDecoded bounds how long a recording is decoded for its waveform; longer
	// ones get it from the sizes of their packets.
	maxDecoded = 5 * time.Minute
	decodeRate = 8000 // Hz: enough to see how loud it is
	// maxPacketTime and maxPacket are those of an Opus packet (RFC 6716, 3.2).
	maxPacketTime = 120 * time.Millisecond
)

var errOgg = errors.New("its packets are not those of an Opus recording")

// recording is an Ogg Opus file.
type recording struct {
	length   time.Duration
	waveform []byte // bars values from 0 to 100
	// decoded tells whether the waveform shows how loud the recording is, or only
	// how large its packets are, which follows loudness roughly.
	decoded bool
}

// readRecording reads a whole Ogg Opus file. How long it is, is counted from
// its packets: the positions that its pages claim may be lies.
func readRecording(ctx context.Context, open func() io.Reader) (recording, error) {
	var sizes []float64
	var length time.Duration
	err := eachPacket(ctx, open(), func(packet []byte) error {
		lasts, err := packetTime(packet)
		length += lasts
		if length > maxSeconds*time.Second {
			return fmt.Errorf("it claims to last more than a day: %w", errOgg)
		}
		sizes = append(sizes, float64(len(packet)))
		return err
	})
	switch {
	case err != nil:
		return recording{}, err
	case length == 0:
		return recording{}, fmt.Errorf("it is empty: %w", errOgg)
	}
	if length <= maxDecoded {
		if waveform, err := decode(ctx, open()); err == nil {
			return recording{length, waveform, true}, nil
		} else if ctx.Err() != nil {
			return recording{}, ctx.Err()
		}
	}
	return recording{length, waveformOf(sizes), false}, nil
}

// eachPacket reads the packets of a recording's sound.
func eachPacket(ctx context.Context, from io.Reader, visit func([]byte) error) error {
	pages, _, err := oggreader.NewWith(bufio.NewReader(from))
	if err != nil {
		return fmt.Errorf("%w: %w", errOgg, err)
	}
	for first := true; ; first = false {
		if err = ctx.Err(); err != nil {
			return err
		}
		packet, _, err := pages.ParseNextPacket()
		switch {
		case errors.Is(err, io.EOF) && !first:
			return nil
		case err != nil:
			return fmt.Errorf("%w: %w", errOgg, err)
		case first != bytes.HasPrefix(packet, []byte("OpusTags")): // RFC 7845, 3: the second packet of all
			return errOgg
		case first:
			continue
		}
		if err = visit(packet); err != nil {
			return err
		}
	}
}

// packetTime is how long a packet's sound is: RFC 6716, 3.1 and 3.2.
func packetTime(packet []byte) (time.Duration, error) {
	if len(packet) == 0 {
		return 0, errOgg
	}
	const tenth = 100 * time.Microsecond
	configuration := int(packet[0] >> 3)
	var frame time.Duration
	switch {
	case configuration < 12: // SILK
		frame = []time.Duration{100, 200, 400, 600}[configuration%4] * tenth
	case configuration < 16: // hybrid
		frame = []time.Duration{100, 200}[configuration%2] * tenth
	default: // CELT
		frame = []time.Duration{25, 50, 100, 200}[configuration%4] * tenth
	}
	frames := time.Duration(1)
	switch packet[0] & 3 {
	case 1, 2:
		frames = 2
	case 3:
		if len(packet) < 2 {
			return 0, errOgg
		}
		frames = time.Duration(packet[1] & 0x3f)
	}
	if frames == 0 || frames*frame > maxPacketTime {
		return 0, errOgg
	}
	return frames * frame, nil
}

// decode hears a recording through.
func decode(ctx context.Context, from io.Reader) (waveform []byte, err error) {
	defer func() {
		// The decoder is another's work and is fed a stranger's file: what it cannot
		// take must not end the server.
		if reason := recover(); reason != nil {
			waveform, err = nil, fmt.Errorf("decoding: %v", reason)
		}
	}()
	decoder, err := opus.NewDecoderWithOutput(decodeRate, 1)
	if err != nil {
		return nil, err
	}
	var loudness []float64 // of each packet
	samples := make([]float32, maxPacketTime*decodeRate/time.Second)
	err = eachPacket(ctx, from, func(packet []byte) error {
		n, err := decoder.DecodeToFloat32(packet, samples)
		if err != nil {
			return err
		}
		sum := 0.0
		for _, sample := range samples[:n] {
			sum += math.Abs(float64(sample))
		}
		loudness = append(loudness, sum/float64(max(n, 1)))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return waveformOf(loudness), nil
}

// waveformOf draws bars from 0 to 100 out of any number of values, the highest
// being 100. Packets of one recording last about the same time each.
func waveformOf(values []float64) []byte {
	means, top := make([]float64, bars), 0.0
	for i := range means {
		from := i * len(values) / bars
		part := values[from:max((i+1)*len(values)/bars, min(from+1, len(values)))]
		for _, value := range part {
			means[i] += value / float64(len(part))
		}
		top = max(top, means[i])
	}
	drawn := make([]byte, bars)
	for i, mean := range means {
		if top > 0 { // not for silence, nor for NaN
			drawn[i] = byte(100 * mean / top)
		}
	}
	return drawn
}
