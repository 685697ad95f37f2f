package media

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gabriel-vasile/mimetype"

	"muster/internal/fault"
	"muster/messages/content"
)

// opusType is the type of voice notes, as WhatsApp's clients write it.
const opusType = "audio/ogg; codecs=opus"

// listen takes recordings: Ogg Opus, which alone can be a voice note, and MP3,
// M4A, AAC, AMR and WAV, which are played as files.
func (l *Library) listen(ctx context.Context, want Want, found *mimetype.MIME, draft *Draft, media *content.Media) error {
	ogg := anyOf(found, "audio/ogg", "application/ogg", "video/ogg")
	if want.PTT && !ogg {
		return wrongType(want, found, "Ogg Opus, for a voice note,")
	}
	switch {
	case ogg:
		return l.listenToOpus(ctx, want, draft, media)
	case anyOf(found, "audio/mp4", "audio/x-m4a", "video/mp4", "video/3gpp", "audio/3gpp"):
		media.Mimetype = "audio/mp4"
		movie, err := readMovie(draft, draft.Size)
		if err != nil {
			return damaged(want, "an M4A", err)
		}
		if movie.video || !movie.sound {
			failure := fault.New(fault.UnsupportedMedia, "the file is no recording: an MP4 with sound and without pictures is needed")
			failure.Field = want.Field
			return failure
		}
		media.Seconds = movie.seconds
		return nil
	case anyOf(found, "audio/mpeg"):
		return describe(want, draft, media, "audio/mpeg", "an MP3", mp3Time)
	case anyOf(found, "audio/wav"):
		return describe(want, draft, media, "audio/wav", "a WAV", wavTime)
	case anyOf(found, "audio/aac", "audio/amr"): // how long they are stands nowhere
		media.Mimetype = found.String()
		return nil
	}
	return wrongType(want, found, "Ogg Opus, MP3, M4A, AAC, AMR or WAV")
}

func (l *Library) listenToOpus(ctx context.Context, want Want, draft *Draft, media *content.Media) error {
	heard, err := readRecording(ctx, func() io.Reader { return io.NewSectionReader(draft, 0, draft.Size) })
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return damaged(want, "an Ogg Opus recording", err)
	case !heard.decoded:
		l.options.Log.Debug().Dur("length", heard.length).Msg("the waveform of a voice note shows the sizes of its packets")
	}
	media.Mimetype, media.Seconds = opusType, seconds(heard.length)
	if want.PTT {
		media.Waveform = heard.waveform
	}
	return nil
}

// seconds rounds, and leaves nothing that can be heard at zero.
func seconds(length time.Duration) int {
	return max(int((length+time.Second/2)/time.Second), 1)
}

// described is how much of a sound file's beginning says how long it is.
const described = 256 << 10

func describe(want Want, draft *Draft, media *content.Media, is, kind string,
	lasts func(head []byte, size int64) (time.Duration, error),
) error {
	head := make([]byte, min(described, draft.Size))
	if _, err := draft.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading a media file: %w", err)
	}
	length, err := lasts(head, draft.Size)
	if err == nil && length > maxSeconds*time.Second {
		err = errors.New("it claims to last more than a day")
	}
	if err != nil {
		return damaged(want, kind, err)
	}
	media.Mimetype, media.Seconds = is, seconds(length)
	return nil
}

// wavTime reads the fmt chunk: what is in the file is divided by the bytes of a
// second, whatever the size that the data chunk claims.
func wavTime(head []byte, size int64) (time.Duration, error) {
	const chunk = 8
	at := 12
	for at+chunk+16 <= len(head) {
		length := int64(binary.LittleEndian.Uint32(head[at+4:]))
		if string(head[at:at+4]) == "fmt " {
			rate := int64(binary.LittleEndian.Uint32(head[at+16:]))
			if rate == 0 {
				return 0, errors.New("a second of it has no bytes")
			}
			return time.Duration(size-int64(at)) * time.Second / time.Duration(rate), nil
		}
		if length > int64(len(head)) {
			break
		}
		at += chunk + int(length+length&1)
	}
	return 0, errors.New("it does not say how fast it plays")
}

// mp3Time reads the first frame (ISO/IEC 11172-3): its count of frames where an
// encoder left one, else its bit rate for the whole file.
func mp3Time(head []byte, size int64) (time.Duration, error) {
	at := 0
	if len(head) > 10 && string(head[:3]) == "ID3" { // the tag's length has 7 bits a byte
		at = 10 + int(head[6]&0x7f)<<21 + int(head[7]&0x7f)<<14 + int(head[8]&0x7f)<<7 + int(head[9]&0x7f)
	}
	if int64(at) >= size {
		return 0, errors.New("its tag is longer than the file")
	}
	if at >= len(head) { // a large picture of the album: the tag hides the first frame
		return time.Duration(size-int64(at)) * 8 * time.Second / 128_000, nil
	}
	for ; at+4 <= len(head); at++ {
		frame, ok := mp3FrameOf(head[at:])
		if !ok {
			continue
		}
		if frames := frame.counted(head[at:]); frames > 0 && frames <= size/minMP3Frame {
			return time.Duration(frames) * time.Duration(frame.samples) * time.Second / time.Duration(frame.rate), nil
		}
		return time.Duration(size-int64(at)) * 8 * time.Second / time.Duration(frame.bits), nil
	}
	return 0, errors.New("it has no frame")
}

// minMP3Frame is fewer bytes than any frame has: what a count of frames is
// compared with.
const minMP3Frame = 24

// mp3Frame is the header of a layer III frame.
type mp3Frame struct {
	bits, rate, samples int // bits a second, samples a second, samples a frame
	mono, first         bool
}

func mp3FrameOf(data []byte) (mp3Frame, bool) {
	if data[0] != 0xff || data[1]&0xe6 != 0xe2 { // eleven ones, and layer III
		return mp3Frame{}, false
	}
	version, bits, rate := data[1]>>3&3, data[2]>>4, data[2]>>2&3
	if version == 1 || bits == 0 || bits == 15 || rate == 3 {
		return mp3Frame{}, false
	}
	frame := mp3Frame{first: version == 3, mono: data[3]>>6 == 3, samples: 1152, rate: []int{44100, 48000, 32000}[rate]}
	if frame.first {
		frame.bits = []int{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320}[bits] * 1000
		return frame, true
	}
	frame.bits = []int{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160}[bits] * 1000
	frame.samples, frame.rate = 576, frame.rate/2
	if version == 0 {
		frame.rate /= 2
	}
	return frame, true
}

// counted is the number of frames that an encoder wrote into the first (the
// "Xing" or "Info" tag), or 0.
func (f mp3Frame) counted(data []byte) int64 {
	side := map[[2]bool]int{{true, false}: 32, {true, true}: 17, {false, false}: 17, {false, true}: 9}[[2]bool{f.first, f.mono}]
	tag := 4 + side
	if len(data) < tag+12 || !bytes.Equal(data[tag:tag+4], []byte("Xing")) && !bytes.Equal(data[tag:tag+4], []byte("Info")) || data[tag+7]&1 == 0 {
		return 0
	}
	return int64(binary.BigEndian.Uint32(data[tag+8:]))
}
