package phone

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/util/cbcutil"
	"go.mau.fi/whatsmeow/util/hkdfutil"
)

// ErrNoFile says that a message has no file, or one whose parts do not fit
// together: the key does not open it, or a hash is another.
var ErrNoFile = errors.New("no such file")

// Files are encrypted as whatsmeow's Upload and Baileys' encryptedStream do it:
// HKDF stretches the 32 bytes of the media key to an initialisation vector, a
// key for AES-256-CBC and a key for HMAC-SHA256, of which ten bytes follow the
// ciphertext.

// fileKinds tells, by the kind of a message, the label its file's keys are
// derived under and the kind of media at the media host.
var fileKinds = map[string]struct { //nolint:gochecknoglobals // a table of the protocol
	label whatsmeow.MediaType
	host  string
}{
	KindImage: {whatsmeow.MediaImage, "image"}, KindSticker: {whatsmeow.MediaImage, "image"},
	KindVideo: {whatsmeow.MediaVideo, "video"}, KindAudio: {whatsmeow.MediaAudio, "audio"},
	KindDocument: {whatsmeow.MediaDocument, "document"},
}

// file is what a message says of the file it comes with.
type file struct {
	key, sha256, encSHA256 []byte
	size                   uint64
	directPath             string
}

const (
	mediaKeySize = 32
	fileMACSize  = 10
)

// fileKeys are what a media key is stretched to.
func fileKeys(key []byte, label whatsmeow.MediaType) (iv, cipherKey, macKey []byte) {
	stretched := hkdfutil.SHA256(key, nil, []byte(label), 112)
	return stretched[:16], stretched[16:48], stretched[48:80]
}

// sealFile encrypts a file under a fresh key.
func sealFile(random io.Reader, label whatsmeow.MediaType, plain []byte) (sealed []byte, f file, err error) {
	key, err := randomBytes(random, mediaKeySize)
	if err != nil {
		return nil, file{}, fmt.Errorf("draw the media key: %w", err)
	}
	iv, cipherKey, macKey := fileKeys(key, label)
	sealed, err = cbcutil.Encrypt(cipherKey, iv, bytes.Clone(plain))
	if err != nil {
		return nil, file{}, fmt.Errorf("encrypt the file: %w", err)
	}
	sealed = append(sealed, fileMAC(macKey, iv, sealed)...)
	plainHash, sealedHash := sha256.Sum256(plain), sha256.Sum256(sealed)
	return sealed, file{key: key, sha256: plainHash[:], encSHA256: sealedHash[:], size: uint64(len(plain))}, nil
}

// open decrypts a file, and checks everything the message says of it.
func (f file) open(label whatsmeow.MediaType, sealed []byte) ([]byte, error) {
	sealedHash := sha256.Sum256(sealed)
	switch {
	case len(f.key) != mediaKeySize:
		return nil, fmt.Errorf("%w: the media key has %d bytes", ErrNoFile, len(f.key))
	case !bytes.Equal(sealedHash[:], f.encSHA256):
		return nil, fmt.Errorf("%w: the encrypted file has another hash", ErrNoFile)
	case len(sealed) <= fileMACSize:
		return nil, fmt.Errorf("%w: it has %d bytes", ErrNoFile, len(sealed))
	}
	body, mac := sealed[:len(sealed)-fileMACSize], sealed[len(sealed)-fileMACSize:]
	iv, cipherKey, macKey := fileKeys(f.key, label)
	if !hmac.Equal(mac, fileMAC(macKey, iv, body)) {
		return nil, fmt.Errorf("%w: it was not encrypted under the message's key", ErrNoFile)
	}
	var plain []byte
	err := guard(func() (inner error) {
		plain, inner = cbcutil.Decrypt(cipherKey, iv, bytes.Clone(body)) // works in place
		return inner
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoFile, err)
	}
	if hash := sha256.Sum256(plain); !bytes.Equal(hash[:], f.sha256) || uint64(len(plain)) != f.size {
		return nil, fmt.Errorf("%w: its hash or length is not what the message says", ErrNoFile)
	}
	return plain, nil
}

func fileMAC(key, iv, sealed []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(iv) // a hash never fails to write
	mac.Write(sealed)
	return mac.Sum(nil)[:fileMACSize]
}

// OpenFile decrypts the file that a message comes with. fetch gives what is at
// a direct path of the media host. It fails with ErrNoFile.
func OpenFile(m *waE2E.Message, fetch func(directPath string) ([]byte, bool)) ([]byte, error) {
	f, ok := fileOf(m)
	if !ok {
		return nil, fmt.Errorf("%w: the message has none", ErrNoFile)
	}
	sealed, there := fetch(f.directPath)
	if !there {
		return nil, fmt.Errorf("%w: nothing is at %s", ErrNoFile, f.directPath)
	}
	return f.open(fileKinds[classify(m)].label, sealed)
}

// fileOf takes what a message says of its file.
func fileOf(m *waE2E.Message) (file, bool) {
	type attachment interface {
		GetMediaKey() []byte
		GetFileSHA256() []byte
		GetFileEncSHA256() []byte
		GetFileLength() uint64
		GetDirectPath() string
	}
	var a attachment
	switch m = unwrap(m); {
	case m == nil:
		return file{}, false
	case m.ImageMessage != nil:
		a = m.ImageMessage
	case m.VideoMessage != nil:
		a = m.VideoMessage
	case m.PtvMessage != nil:
		a = m.PtvMessage
	case m.AudioMessage != nil:
		a = m.AudioMessage
	case m.DocumentMessage != nil:
		a = m.DocumentMessage
	case m.StickerMessage != nil:
		a = m.StickerMessage
	default:
		return file{}, false
	}
	return file{
		key: a.GetMediaKey(), sha256: a.GetFileSHA256(), encSHA256: a.GetFileEncSHA256(),
		size: a.GetFileLength(), directPath: a.GetDirectPath(),
	}, true
}
