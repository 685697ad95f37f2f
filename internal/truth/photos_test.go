package truth_test

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"net/http"
)

// picture draws one of a size, in a form.
func picture(width, height int, encode func(*bytes.Buffer, image.Image) error) []byte {
	drawn := image.NewRGBA(image.Rect(0, 0, width, height))
	for x := range width {
		for y := range height {
			drawn.Set(x, y, color.RGBA{uint8(x), uint8(y), 90, 255})
		}
	}
	var out bytes.Buffer
	if err := encode(&out, drawn); err != nil {
		panic(err) // of a buffer
	}
	return out.Bytes()
}

func asJPEG(out *bytes.Buffer, drawn image.Image) error { return jpeg.Encode(out, drawn, nil) }

func asPNG(out *bytes.Buffer, drawn image.Image) error { return png.Encode(out, drawn) }

func hang(content []byte) func(*scene) answer {
	return func(s *scene) answer { return s.here(http.MethodPut, "/photo", content) }
}

func takeDown(s *scene) answer { return s.here(http.MethodDelete, "/photo", nil) }

func look(s *scene) answer { return s.here(http.MethodGet, "/photo", nil) }

// hung gives the group a picture.
func hung(s *scene) { hang(picture(400, 400, asJPEG))(s).ok() }

var (
	hanging = operation{name: "photo", as: owner, do: hang(picture(640, 400, asJPEG)), tells: "photo", check: shown}
	taking  = operation{name: "no photo any more", as: owner, before: hung, do: takeDown, tells: "photo", check: bare}
	looking = operation{name: "see the photo", as: admin, before: hung, do: look, check: seen}
)

var changesOfPhotos = []operation{
	hanging, locked(forbidden(hanging)), strange(hanging), nowhere(hanging),
	{name: "photo by a member", as: ordinary, do: hang(picture(500, 300, asPNG)), tells: "photo", check: shown},
	{name: "another photo", as: owner, before: hung, do: hang(picture(300, 500, asPNG)), tells: "photo", check: shown},
	{name: "a photo that is none", as: owner, do: hang([]byte("GIF89a, or so it says")), refused: 415, code: "unsupported_media"},
	{name: "a photo that is damaged", as: owner, do: hang(picture(400, 400, asPNG)[:200]), refused: 422, code: "invalid"},
	taking,
	{name: "no photo as before", as: owner, do: takeDown, check: bare},
	looking,
	{name: "see no photo", as: owner, do: look, refused: 404, code: "not_found"},
}

// shown checks that the service shows a square picture to everybody.
func shown(s *scene, _ answer) {
	if _, ok := s.wa.Media().Picture(s.jid.String()); !ok {
		s.t.Error("the group has no picture in truth")
	}
	seen(s, look(s).ok())
}

// seen checks that an answer is a square picture.
func seen(s *scene, a answer) {
	config, form, err := image.DecodeConfig(bytes.NewReader(a.raw))
	if err != nil || form != "jpeg" || config.Width != config.Height {
		s.t.Errorf("the picture is a %s of %dx%d, %v", form, config.Width, config.Height, err)
	}
}

// bare checks that there is no picture.
func bare(s *scene, _ answer) {
	if _, ok := s.wa.Media().Picture(s.jid.String()); ok {
		s.t.Error("the group has a picture in truth")
	}
}
