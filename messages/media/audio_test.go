package media_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"muster/internal/fault"
	"muster/messages/content"
	"muster/messages/media"
)

// oggPage writes a page (RFC 3533) of whole packets.
func oggPage(kind byte, granule uint64, number uint32, packets ...[]byte) []byte {
	var lacing, body []byte
	for _, packet := range packets {
		lacing = append(append(lacing, bytes.Repeat([]byte{255}, len(packet)/255)...), byte(len(packet)%255))
		body = append(body, packet...)
	}
	page := binary.LittleEndian.AppendUint64(append([]byte("OggS\x00"), kind), granule)
	page = binary.LittleEndian.AppendUint32(page, 7)
	page = binary.LittleEndian.AppendUint32(page, number)
	page = append(append(page, 0, 0, 0, 0, byte(len(lacing))), append(lacing, body...)...)
	crc := uint32(0)
	for _, b := range page {
		crc ^= uint32(b) << 24
		for range 8 {
			top := crc >> 31
			if crc <<= 1; top == 1 {
				crc ^= 0x04c11db7
			}
		}
	}
	binary.LittleEndian.PutUint32(page[22:], crc)
	return page
}

// voice is an Ogg Opus file of the packets, whose pages claim the position.
func voice(granule uint64, packets ...[]byte) []byte {
	head := append([]byte("OpusHead\x01\x01\x38\x01"), 0x80, 0xbb, 0, 0, 0, 0, 0)
	out := append(oggPage(2, 0, 0, head), oggPage(0, 0, 1, []byte("OpusTags\x04\x00\x00\x00test\x00\x00\x00\x00"))...)
	for i := 0; i < len(packets); i += 50 {
		out = append(out, oggPage(0, granule, uint32(2+i/50), packets[i:min(i+50, len(packets))]...)...)
	}
	return out
}

// silence and noise are packets of 20 ms (CELT, full band, mono): the code for
// silence, and whatever a decoder makes of random bytes.
func silence(n int) [][]byte {
	packets := make([][]byte, n)
	for i := range packets {
		packets[i] = []byte{0xf8, 0xff, 0xfe}
	}
	return packets
}

func noise(n int) [][]byte {
	random := rand.New(rand.NewPCG(1, 2))
	packets := make([][]byte, n)
	for i := range packets {
		packets[i] = append([]byte{0xf8}, make([]byte, 80)...)
		for j := range packets[i][1:] {
			packets[i][1+j] = byte(random.Uint32())
		}
	}
	return packets
}

func takeVoice(t *testing.T, r *rig, data []byte) (content.Media, error) {
	t.Helper()
	return r.Take(t.Context(), media.Want{Kind: content.KindAudio, Field: "audio", PTT: true}, media.Source{Data: data})
}

// A voice note's waveform shows where it is loud, and its length is that of its
// packets, whatever its pages claim.
func TestVoiceNotes(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	got, err := takeVoice(t, r, voice(1<<62, append(silence(100), noise(100)...)...))
	if err != nil {
		t.Fatal(err)
	}
	if got.Mimetype != "audio/ogg; codecs=opus" || got.Seconds != 4 || !got.PTT || len(got.Waveform) != 64 {
		t.Fatalf("%+v", got)
	}
	quiet, loud, top := 0, 0, byte(0)
	for i, bar := range got.Waveform {
		if top = max(top, bar); i < 32 {
			quiet += int(bar)
		} else {
			loud += int(bar)
		}
	}
	if top != 100 || loud < 20*quiet {
		t.Errorf("the waveform is %v", got.Waveform)
	}
	// Long recordings are drawn from the sizes of their packets.
	long, err := takeVoice(t, r, voice(0, append(silence(8000), noise(8000)...)...))
	if err != nil || long.Seconds != 320 || long.Waveform[0] != 3 || long.Waveform[63] != 100 {
		t.Errorf("a long one: %d seconds, %v, %v", long.Seconds, long.Waveform, err)
	}
	short, err := takeVoice(t, r, voice(0, silence(1)...))
	if err != nil || short.Seconds != 1 || !bytes.Equal(short.Waveform, make([]byte, 64)) {
		t.Errorf("a short one: %+v, %v", short, err)
	}
	file, err := r.take(t, content.KindAudio, voice(0, noise(100)...))
	if err != nil || file.Waveform != nil || file.Seconds != 2 || file.PTT {
		t.Errorf("as a file: %+v, %v", file, err)
	}
}

// wav is a recording of the number of seconds, which claims a size.
func wav(seconds int, claim uint32) []byte {
	format := []byte{1, 0, 1, 0}
	format = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(format, 8000), 8000)
	format = append(format, 1, 0, 8, 0)
	out := append(binary.LittleEndian.AppendUint32([]byte("RIFF"), claim), "WAVE"...)
	out = append(out, chunk("LIST", []byte("odd"))...)
	out = append(append(out, chunk("fmt ", format)...), "data"...)
	return append(binary.LittleEndian.AppendUint32(out, claim), make([]byte, 8000*seconds)...)
}

// mp3 is frames of 128 kbit/s at 44.1 kHz: 417 bytes and 1152 samples each.
func mp3(frames int, claim uint32) []byte {
	frame := append([]byte{0xff, 0xfb, 0x90, 0x00}, make([]byte, 413)...)
	out := []byte("ID3\x04\x00\x00\x00\x00\x00\x0a0123456789")
	out = append(out, bytes.Repeat(frame, frames)...)
	if claim > 0 {
		copy(out[20+36:], "Xing\x00\x00\x00\x01")
		binary.BigEndian.PutUint32(out[20+44:], claim)
	}
	return out
}

func TestRecordings(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	for name, test := range map[string]struct {
		data     []byte
		mimetype string
		seconds  int
	}{
		"WAV":                       {wav(3, 24000), "audio/wav", 3},
		"a WAV that claims more":    {wav(3, 0xffffffff), "audio/wav", 3},
		"MP3":                       {mp3(383, 0), "audio/mpeg", 10},
		"MP3 with a count":          {mp3(383, 766), "audio/mpeg", 20},
		"MP3 that claims more":      {mp3(383, 0xffffffff), "audio/mpeg", 10},
		"M4A":                       {movieFile(movieOptions{brand: "M4A ", sound: true, seconds: 61}), "audio/mp4", 61},
		"an MP4 with only sound":    {movieFile(movieOptions{brand: "isom", sound: true, seconds: 5}), "audio/mp4", 5},
		"AMR":                       {[]byte("#!AMR\n\x3c\x00\x00"), "audio/amr", 0},
		"a WAV with a fast header":  {wav(1, 0), "audio/wav", 1},
		"an MP3 of a quarter frame": {mp3(1, 0), "audio/mpeg", 1},
	} {
		got, err := r.take(t, content.KindAudio, test.data)
		if err != nil || got.Mimetype != test.mimetype || got.Seconds != test.seconds {
			t.Errorf("%s: %s, %d seconds, %v", name, got.Mimetype, got.Seconds, err)
		}
	}
}

func TestHostileRecordings(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	spoilt := voice(0, noise(100)...)
	spoilt[len(spoilt)-5] ^= 1
	whole := voice(0, noise(100)...)
	still := wav(1, 0)
	copy(still[bytes.Index(still, []byte("fmt "))+16:], make([]byte, 4))
	minute := []byte{0xff, 48, 0} // 48 frames of 20 ms
	hours := make([][]byte, 0, 5000)
	for range 5000 {
		hours = append(hours, []byte{0x1b, 2}) // two frames of 60 ms in a packet of two bytes
	}
	for name, test := range map[string]struct {
		data  []byte
		code  fault.Code
		words string
	}{
		"a checksum that is wrong": {spoilt, fault.Invalid, "damaged"},
		"cut off":                  {whole[:len(whole)-10], fault.Invalid, "damaged"},
		"a head and nothing else":  {whole[:47], fault.Invalid, "damaged"},
		"no packets":               {voice(0), fault.Invalid, "damaged"},
		"a packet of nothing":      {voice(0, []byte{}), fault.Invalid, "damaged"},
		"a packet of a second":     {voice(0, minute), fault.Invalid, "damaged"},
		"a packet without a count": {voice(0, []byte{0xff}), fault.Invalid, "damaged"},
		"an Ogg of something else": {oggPage(2, 0, 0, []byte("\x01vorbis\x00\x00\x00\x00\x01\x44\xac\x00\x00\x00\x00\x00\x00")), fault.Invalid, "damaged"},
		"Ogg and then nothing":     {[]byte("OggS\x00\x02"), fault.Invalid, "damaged"},
		"a page that claims much":  {append([]byte("OggS\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff"), bytes.Repeat([]byte{255}, 255)...), fault.Invalid, "damaged"},
		"an MP3":                   {mp3(10, 0), fault.UnsupportedMedia, "Ogg Opus"},
		"a page of the web":        {[]byte("<html>"), fault.UnsupportedMedia, "Ogg Opus"},
	} {
		_, err := takeVoice(t, r, test.data)
		r.refused(t, name, err, test.code, "audio", test.words)
	}
	for name, test := range map[string]struct {
		data  []byte
		code  fault.Code
		words string
	}{
		"a WAV that stands still": {still, fault.Invalid, "damaged"},
		"a WAV without a format":  {append([]byte("RIFF\x00\x00\x00\x00WAVE"), chunk("data", make([]byte, 100))...), fault.Invalid, "damaged"},
		"a WAV that goes on":      {append([]byte("RIFF\x00\x00\x00\x00WAVEfoo \xff\xff\xff\xff"), make([]byte, 100)...), fault.Invalid, "damaged"},
		"an MP3 without frames":   {append([]byte("ID3\x04\x00\x00\x00\x00\x00\x0a0123456789"), make([]byte, 100)...), fault.Invalid, "damaged"},
		"an MP3 that is a tag":    {append([]byte("ID3\x04\x00\x00\x7f\x7f\x7f\x7f"), make([]byte, 100)...), fault.Invalid, "damaged"},
		"a video":                 {movieFile(movieOptions{brand: "isom", video: true, sound: true, seconds: 5}), fault.UnsupportedMedia, "no recording"},
		"a picture":               {asPNG(t, 8, 8), fault.UnsupportedMedia, "image/png"},
	} {
		_, err := r.take(t, content.KindAudio, test.data)
		r.refused(t, name, err, test.code, "audio", test.words)
	}
	// Ten minutes in ten kilobytes are believed: silence takes no more.
	if got, err := takeVoice(t, r, voice(0, hours...)); err != nil || got.Seconds != 600 {
		t.Errorf("long silence: %d seconds, %v", got.Seconds, err)
	}
}
