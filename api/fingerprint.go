package api

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"slices"

	"github.com/gofiber/fiber/v2"

	"muster/internal/fault"
)

// fingerprint tells requests apart: method, path with query, and body. Of a form
// with files, what is in it counts: clients separate its parts in another way
// each time.
func fingerprint(c *fiber.Ctx) (string, error) {
	sum := sha256.New()
	for _, part := range [][]byte{[]byte(c.Method()), []byte(c.Path()), c.Request().URI().QueryString()} {
		sum.Write(part)
		sum.Write([]byte{0})
	}
	if !isForm(c.Get(fiber.HeaderContentType)) {
		sum.Write(c.Body())
		return hex.EncodeToString(sum.Sum(nil)), nil
	}
	form, err := c.MultipartForm()
	if err != nil {
		return "", fault.New(fault.Malformed, "the form cannot be read").Because(err)
	}
	if err = hashForm(sum, form); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// isForm tells whether a body of this type is a form with files.
func isForm(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && kind == fiber.MIMEMultipartForm
}

// hashForm hashes a form's fields and files, in the order of their names.
func hashForm(sum hash.Hash, form *multipart.Form) error {
	for _, name := range slices.Sorted(maps.Keys(form.Value)) {
		for _, value := range form.Value[name] {
			hashText(sum, name, value)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(form.File)) {
		for _, file := range form.File[name] {
			hashText(sum, name, file.Filename, file.Header.Get(fiber.HeaderContentType))
			if err := hashFile(sum, file); err != nil {
				return err
			}
		}
	}
	return nil
}

// hashText hashes texts so that no two lists of them look the same.
func hashText(sum hash.Hash, texts ...string) {
	for _, text := range texts {
		sum.Write(binary.AppendUvarint(nil, uint64(len(text))))
		sum.Write([]byte(text))
	}
}

func hashFile(sum hash.Hash, header *multipart.FileHeader) error {
	sum.Write(binary.AppendUvarint(nil, uint64(header.Size)))
	file, err := header.Open()
	if err != nil {
		return fmt.Errorf("read a file of a form: %w", err)
	}
	_, err = io.Copy(sum, file)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("read a file of a form: %w", err)
	}
	return nil
}
