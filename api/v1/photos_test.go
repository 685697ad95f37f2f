package v1_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"muster/sandbox"
)

// drawn is a picture of a size and colour.
func drawn(width, height int, c color.Color) image.Image {
	picture := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range width * height {
		picture.Set(i%width, i/width, c)
	}
	return picture
}

func inJPEG(t *testing.T, picture image.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := jpeg.Encode(&out, picture, nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func inPNG(t *testing.T, picture image.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// upload puts a picture in a body of the type.
func (r *rig) upload(jid, contentType string, body []byte) answer {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	request := r.request(ctx, http.MethodPut, "/api/v1/sessions/"+mySession+"/groups/"+jid+"/photo", string(body))
	request.Header.Set("Content-Type", contentType)
	return r.do(request)
}

// photo gets the picture itself.
func (r *rig) photo(jid, query, known string) (*http.Response, []byte) {
	r.t.Helper()
	request := r.request(r.t.Context(), http.MethodGet, "/api/v1/sessions/"+mySession+"/groups/"+jid+"/photo"+query, nil)
	if known != "" {
		request.Header.Set("If-None-Match", known)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return response, content
}

// shows checks that the group has a square picture of the colour.
func (r *rig) shows(jid string, want color.RGBA) {
	r.t.Helper()
	response, content := r.photo(jid, "", "")
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "image/jpeg" {
		r.t.Fatalf("the picture: %d, %s", response.StatusCode, response.Header.Get("Content-Type"))
	}
	picture, err := jpeg.Decode(bytes.NewReader(content))
	if err != nil {
		r.t.Fatal(err)
	}
	got, _ := color.RGBAModel.Convert(picture.At(320, 320)).(color.RGBA)
	const tolerance = 12
	for _, d := range []int{int(got.R) - int(want.R), int(got.G) - int(want.G), int(got.B) - int(want.B)} {
		if d > tolerance || d < -tolerance {
			r.t.Errorf("the picture is %v, want %v", got, want)
		}
	}
	if picture.Bounds().Size() != image.Pt(640, 640) {
		r.t.Errorf("the picture is %v", picture.Bounds())
	}
}

// form puts files into a multipart body.
func form(t *testing.T, files ...[]byte) (contentType string, body []byte) {
	t.Helper()
	var out bytes.Buffer
	writer := multipart.NewWriter(&out)
	for i, file := range files {
		part, err := writer.CreateFormFile(fmt.Sprintf("file%d", i), "picture")
		if err == nil {
			_, err = part.Write(file)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return writer.FormDataContentType(), out.Bytes()
}

func TestPhotosInEveryForm(t *testing.T) {
	r := newRig(t)
	jid := r.create("Painters")
	red, green, blue := color.RGBA{200, 0, 0, 255}, color.RGBA{0, 180, 0, 255}, color.RGBA{0, 0, 200, 255}

	r.group(http.MethodGet, jid, "/photo", nil).refused(http.StatusNotFound, "not_found", "")
	r.group(http.MethodGet, jid, "/photo?format=json", nil).refused(http.StatusNotFound, "not_found", "")
	first := r.upload(jid, "image/jpeg", inJPEG(t, drawn(900, 400, red))).status(http.StatusOK)
	r.shows(jid, red)
	if r.group(http.MethodGet, jid, "/photo?format=json", nil).status(http.StatusOK).text("id") != first.text("id") {
		t.Errorf("the picture is not the one that was set: %s", first.raw)
	}
	if url := r.group(http.MethodGet, jid, "/photo?format=json", nil).text("url"); !strings.HasPrefix(url, "http") {
		t.Errorf("the URL is %q", url)
	}
	r.upload(jid, "image/png", inPNG(t, drawn(300, 700, green))).status(http.StatusOK)
	r.shows(jid, green)
	kind, body := form(t, inPNG(t, drawn(50, 50, blue)))
	r.upload(jid, kind, body).status(http.StatusOK)
	r.shows(jid, blue)
	inText := base64.StdEncoding.EncodeToString(inJPEG(t, drawn(640, 640, red)))
	r.group(http.MethodPut, jid, "/photo", object{"image": inText}).status(http.StatusOK)
	r.shows(jid, red)
	last := r.group(http.MethodPut, jid, "/photo", object{"image": "data:image/jpeg;base64," + inText}).status(http.StatusOK)
	r.shows(jid, red)
	if last.text("id") == first.text("id") || last.body["success"] != true {
		t.Errorf("%s follows %s", last.raw, first.raw)
	}

	response, content := r.photo(jid, "?preview=true", "")
	if config, err := jpeg.DecodeConfig(bytes.NewReader(content)); err != nil || config.Width >= 640 {
		t.Errorf("the preview is %+v, %v", config, err)
	}
	tag := response.Header.Get("ETag")
	if response, content = r.photo(jid, "?preview=true", tag); response.StatusCode != http.StatusNotModified || len(content) > 0 {
		t.Errorf("the known preview: %d, %d bytes", response.StatusCode, len(content))
	}
	if response, _ = r.photo(jid, "", tag); response.StatusCode != http.StatusOK {
		t.Errorf("the picture whose preview is known: %d", response.StatusCode)
	}

	r.group(http.MethodDelete, jid, "/photo", nil).status(http.StatusOK).is(`{"success":true}`)
	r.group(http.MethodGet, jid, "/photo", nil).refused(http.StatusNotFound, "not_found", "")
	r.group(http.MethodDelete, jid, "/photo", nil).status(http.StatusOK)
}

func TestPhotosThatAreRefused(t *testing.T) {
	r := newRig(t)
	jid := r.create("Painters")
	good := inPNG(t, drawn(10, 10, color.White))
	large := func(size int) []byte { return append(bytes.Clone(good), make([]byte, size-len(good))...) }
	two, pair := form(t, good, good)
	none, empty := form(t)
	for _, test := range []struct {
		name, kind  string
		body        []byte
		status      int
		code, field string
	}{
		{"5 MB and a byte", "image/png", large(5<<20 + 1), http.StatusRequestEntityTooLarge, "too_large", ""},
		{"far too large", "image/png", large(9 << 20), http.StatusRequestEntityTooLarge, "too_large", ""},
		{"a GIF", "image/gif", []byte("GIF89a and so on"), http.StatusUnsupportedMediaType, "unsupported_media", ""},
		{"text that is said to be a JPEG", "image/jpeg", []byte("<svg/>"), http.StatusUnsupportedMediaType, "unsupported_media", ""},
		{"no picture's type", "text/plain", good, http.StatusUnsupportedMediaType, "unsupported_media", ""},
		{"no type", "", good, http.StatusUnsupportedMediaType, "unsupported_media", ""},
		{"nothing", "image/png", nil, http.StatusUnprocessableEntity, "invalid", "image"},
		{"damaged", "image/png", good[:40], http.StatusUnprocessableEntity, "invalid", "image"},
		{"two files", two, pair, http.StatusUnprocessableEntity, "invalid", "image"},
		{"no file", none, empty, http.StatusUnprocessableEntity, "invalid", "image"},
		{"a broken form", "multipart/form-data; boundary=x", []byte("y"), http.StatusBadRequest, "malformed", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r.with(t).upload(jid, test.kind, test.body).refused(test.status, test.code, test.field)
		})
	}
	// The largest picture passes, also in base64.
	r.upload(jid, "image/png", large(5<<20)).status(http.StatusOK)
	r.group(http.MethodPut, jid, "/photo", object{"image": base64.StdEncoding.EncodeToString(large(5 << 20))}).status(http.StatusOK)

	r.people(ann)
	foreign := r.byPhone(ann, sandbox.GroupOptions{Name: "Ann's"})
	r.upload(foreign, "image/png", good).refused(http.StatusForbidden, "not_in_group", "")
	r.group(http.MethodGet, foreign, "/photo", nil).refused(http.StatusForbidden, "not_in_group", "")
	r.group(http.MethodGet, "120363999999999999@g.us", "/photo", nil).refused(http.StatusNotFound, "group_not_found", "")

	r.fault(sandbox.Fault{Match: sandbox.FaultMatch{XMLNS: "w:profile:picture", Type: "set"}, Effect: sandbox.FaultEffect{Error: 406}, Count: 1})
	r.upload(jid, "image/png", good).refused(http.StatusUnprocessableEntity, "invalid", "image")
}
