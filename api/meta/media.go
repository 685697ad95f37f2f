package meta

import (
	"context"
	"encoding/hex"
	"io"
	"mime"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"muster/internal/fault"
	"muster/internal/notes"
	"muster/messages"
	"muster/messages/content"
	"muster/messages/media"
)

// filesKept is how long an uploaded file can be sent, as at Meta's.
const filesKept = 30 * 24 * time.Hour

// storedFile is what is known of an uploaded file. Its content is in the store
// of media, under the hash that its id has.
type storedFile struct {
	Mimetype string `json:"mimetype"`
	Size     int64  `json:"size"`
}

// fileKind is the kind of notes that uploaded files have.
const fileKind = "file"

func files(sessionID string) notes.Shelf {
	return notes.Shelf{SessionID: sessionID, Dialect: Name, Kind: fileKind}
}

// filesUsed tells the store which of its files were uploaded here.
func (a *API) filesUsed(ctx context.Context, sums []media.Sum) (map[media.Sum]media.Use, error) {
	ids := make([]string, len(sums))
	for i, sum := range sums {
		ids[i] = sum.String()
	}
	known, err := a.services.Notes.Known(ctx, Name, fileKind, ids, a.options.Now().Add(-filesKept))
	uses := map[media.Sum]media.Use{}
	for i, sum := range sums {
		if known[ids[i]] {
			uses[sum] = media.Kept
		}
	}
	return uses, err
}

type uploadBody struct {
	messagingProduct
	Type string `json:"type"`
}

type uploaded struct {
	ID string `json:"id"`
}

// UploadMedia takes a file for a message that is sent later.
func (a *API) UploadMedia(c Call) error {
	b, err := readBody(c.Ctx)
	if err != nil {
		return err
	}
	var said uploadBody
	if err = b.into(&said); err != nil {
		return err
	}
	if err = said.check(); err != nil {
		return err
	}
	header := b.files["file"]
	if header == nil {
		return fault.Field("file", "is required, as a file of a multipart form")
	}
	if said.Type == "" {
		said.Type = header.Header.Get(fiber.HeaderContentType)
	}
	kind := kindOf(said.Type)
	opened, err := header.Open()
	if err != nil {
		return fault.Field("file", "cannot be read").Because(err)
	}
	defer func() { _ = opened.Close() }() // it was only read
	taken, err := a.services.Media.Take(c.UserContext(), media.Want{Kind: kind, Field: "file", Mimetype: said.Type}, media.Source{From: opened})
	if err != nil {
		return uploadError(err)
	}
	sum := hex.EncodeToString(taken.SHA256)
	shelf := files(c.Session.ID)
	if err = a.services.Notes.Prune(c.UserContext(), shelf, a.options.Now().Add(-filesKept)); err != nil {
		return err
	}
	if err = a.services.Notes.Put(c.UserContext(), shelf, sum, storedFile{Mimetype: taken.Mimetype, Size: taken.Size}); err != nil {
		return err
	}
	return c.JSON(uploaded{ID: opaque{fileWord, c.account(), sum}.String()})
}

// uploadError gives the refusals of a file Meta's number for them.
func uploadError(err error) error {
	switch failure := fault.From(err); failure.Code {
	case fault.Invalid, fault.TooLarge, fault.UnsupportedMedia:
		return &refusal{codeMediaUpload, failure}
	}
	return err
}

// kindOf is what a file of a type is sent as.
func kindOf(mimetype string) content.Kind {
	kind, _, err := mime.ParseMediaType(mimetype)
	major, _, _ := strings.Cut(kind, "/")
	switch {
	case err != nil:
	case kind == "image/webp":
		return content.KindSticker
	case kind == "image/jpeg" || kind == "image/png":
		return content.KindImage
	case major == "video":
		return content.KindVideo
	case major == "audio":
		return content.KindAudio
	}
	return content.KindDocument
}

type mediaInfo struct {
	Product  string `json:"messaging_product"`
	URL      string `json:"url"`
	Mimetype string `json:"mime_type"`
	SHA256   string `json:"sha256"`
	Size     int64  `json:"file_size"`
	ID       string `json:"id"`
}

// file is one that an id names, open for reading.
type file struct {
	io.ReadCloser
	mimetype string
	size     int64
	sum      string
}

// open opens the file of an id: one that was uploaded, or one of a message that
// has come in.
func (a *API) open(ctx context.Context, sessionID, account, id string) (file, error) {
	o, ok := parseOpaque(id)
	if !ok || o.account != account {
		return file{}, noFile()
	}
	if o.word == fileWord {
		return a.openUpload(ctx, sessionID, o.rest)
	}
	chat, message, ok := strings.Cut(o.rest, ":")
	if !ok || o.word != mediaWord {
		return file{}, noFile()
	}
	opened, err := a.services.Messages.OpenFile(ctx, messages.MessageRequest{SessionID: sessionID, ID: message, Chat: chat})
	if err != nil {
		return file{}, err
	}
	return file{opened, opened.Mimetype, opened.Size, opened.Sum.String()}, nil
}

func (a *API) openUpload(ctx context.Context, sessionID, digits string) (file, error) {
	sum, err := media.ParseSum(digits)
	if err != nil {
		return file{}, noFile()
	}
	var known storedFile
	found, err := a.services.Notes.Get(ctx, files(sessionID), digits, &known)
	if err != nil {
		return file{}, err
	}
	if !found {
		return file{}, noFile()
	}
	opened, err := a.services.Media.Store().Open(sum)
	if err != nil {
		return file{}, err
	}
	return file{opened, known.Mimetype, known.Size, digits}, nil
}

func noFile() error { return fault.New(fault.NotFound, "there is no file with this id") }

// GetMedia tells where a file is.
func (a *API) GetMedia(c Call, id string) error {
	f, err := a.open(c.UserContext(), c.Session.ID, c.account(), id)
	if err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return c.JSON(mediaInfo{
		Product: product, URL: c.BaseURL() + c.Vendor.Files + id, Mimetype: f.mimetype, SHA256: f.sum, Size: f.size, ID: id,
	})
}

// DeleteMedia forgets an uploaded file. Those of messages go with these.
func (a *API) DeleteMedia(c Call, id string) error {
	o, ok := parseOpaque(id)
	if !ok || o.account != c.account() || o.word != fileWord {
		return noFile()
	}
	found, err := a.services.Notes.Delete(c.UserContext(), files(c.Session.ID), o.rest)
	if err == nil && !found {
		err = noFile()
	}
	if err != nil {
		return err
	}
	return c.JSON(success{true})
}

// download answers with a file's content.
func (a *API) download(c *fiber.Ctx) error {
	o, ok := parseOpaque(c.Params("media"))
	if !ok {
		return noFile()
	}
	s, err := a.services.Accounts.Find(c.UserContext(), o.account)
	if err != nil {
		return err
	}
	return a.Download(a.call(c, s, ""), c.Params("media"))
}

// Download answers with a file's content. It is a stranger's: whatever it says
// it is, a browser is to save and not to show it.
func (a *API) Download(c Call, id string) error {
	f, err := a.open(c.UserContext(), c.Session.ID, c.account(), id)
	if err != nil {
		return err
	}
	kind, _, err := mime.ParseMediaType(f.mimetype)
	if err != nil || strings.HasPrefix(kind, "text/") {
		kind = fiber.MIMEOctetStream
	}
	c.Set(fiber.HeaderContentType, kind)
	c.Set(fiber.HeaderContentDisposition, "attachment")
	c.Set(fiber.HeaderETag, strconv.Quote(f.sum))
	c.Context().SetBodyStream(f, int(f.size))
	return nil
}

// source is where a message's file comes from: a link, or the id of an upload.
// The caller closes it.
func (a *API) source(c Call, field, link, id string) (media.Source, func() error, error) {
	nothing := func() error { return nil }
	switch {
	case link != "" && id != "":
		return media.Source{}, nothing, fault.Field(field, "has both an id and a link")
	case link != "":
		return media.Source{URL: link}, nothing, nil
	case id == "":
		return media.Source{}, nothing, fault.Field(field, "needs an id or a link")
	}
	f, err := a.open(c.UserContext(), c.Session.ID, c.account(), id)
	if fault.Is(err, fault.NotFound) {
		return media.Source{}, nothing, fault.Field(field+".id", "there is no file with this id").Because(err)
	}
	if err != nil {
		return media.Source{}, nothing, err
	}
	return media.Source{From: f}, f.Close, nil
}
