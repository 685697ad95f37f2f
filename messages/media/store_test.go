package media_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"

	"muster/internal/fault"
	"muster/messages/media"
)

func put(t *testing.T, r *rig, text string) media.Sum {
	t.Helper()
	sum, size, err := r.Store().Put(t.Context(), "file", strings.NewReader(text), limit)
	if err != nil || size != int64(len(text)) || sum != media.Sum(sha256.Sum256([]byte(text))) {
		t.Fatalf("%s: %d bytes, %v", sum, size, err)
	}
	return sum
}

func TestKeeping(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	sum := put(t, r, "halo")
	put(t, r, "halo")
	want := filepath.Join(sum.String()[:2], sum.String())
	if kept := r.onDisk(t); !slices.Equal(kept, []string{want}) {
		t.Errorf("kept is %v", kept)
	}
	info, err := os.Stat(filepath.Join(r.dir, want))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if files, size := r.Store().Usage(); files != 1 || size != 4 || !r.Store().Has(sum) {
		t.Errorf("%d files of %d bytes", files, size)
	}
	file, err := r.Store().Open(sum)
	if err != nil {
		t.Fatal(err)
	}
	// Removed while it is read, it can be read to the end.
	if err = errors.Join(r.Store().Remove(sum), r.Store().Remove(sum)); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(file)
	if closeErr := file.Close(); err != nil || closeErr != nil || string(text) != "halo" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err = r.Store().Open(sum); !fault.Is(err, fault.NotFound) || r.Store().Has(sum) {
		t.Errorf("removed: %v", err)
	}
	if files, size := r.Store().Usage(); files != 0 || size != 0 {
		t.Errorf("%d files of %d bytes remain", files, size)
	}
}

// What a crash left is removed, and what was kept is found again; strange files
// are left alone.
func TestOpeningAgain(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	sum := put(t, r, "halo")
	if err := errors.Join(
		os.WriteFile(filepath.Join(r.dir, "draft", "1"), []byte("half"), 0o600),
		os.WriteFile(filepath.Join(r.dir, "README"), []byte("mine"), 0o600),
		os.WriteFile(filepath.Join(r.dir, sum.String()), []byte("elsewhere"), 0o600),
		os.Symlink("/etc/passwd", filepath.Join(r.dir, sum.String()[:2], strings.Repeat("0", 64))),
		r.Store().Close(),
	); err != nil {
		t.Fatal(err)
	}
	again, err := media.OpenStore(media.StoreOptions{Dir: r.dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = again.Close() })
	if files, size := again.Usage(); files != 1 || size != 4 || !again.Has(sum) {
		t.Errorf("%d files of %d bytes", files, size)
	}
	if kept := r.onDisk(t); len(kept) != 4 || slices.Contains(kept, filepath.Join("draft", "1")) {
		t.Errorf("on disk is %v", kept)
	}
}

// A link in the directory does not lead out of it.
func TestNothingOutsideIsOpened(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	secret := filepath.Join(t.TempDir(), "secret")
	sum := media.Sum{1}
	if err := errors.Join(
		os.WriteFile(secret, []byte("secret"), 0o600), os.Mkdir(filepath.Join(r.dir, "01"), 0o700),
		os.Symlink(secret, filepath.Join(r.dir, "01", sum.String())),
	); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Store().Open(sum); err == nil {
		t.Error("it was opened")
	}
}

func TestSums(t *testing.T) {
	t.Parallel()
	sum := media.Sum(sha256.Sum256([]byte("x")))
	text, err := json.Marshal(map[string]media.Sum{"sum": sum})
	var read map[string]media.Sum
	if err = errors.Join(err, json.Unmarshal(text, &read)); err != nil || read["sum"] != sum {
		t.Errorf("%s: %v", text, err)
	}
	value, err := sum.Value()
	var scanned, ofBytes media.Sum
	if err = errors.Join(err, scanned.Scan(value), ofBytes.Scan([]byte(sum.String()))); err != nil || scanned != sum || ofBytes != sum {
		t.Errorf("%v, %v", scanned, err)
	}
	for _, bad := range []string{"", "..", strings.Repeat("g", 64), sum.String()[:63], "../../../../../../../../../../../../../../../../../../etc/passwd/"} {
		if _, err = media.ParseSum(bad); err == nil {
			t.Errorf("%q is a sum", bad)
		}
	}
	if scanned.Scan(int64(1)) == nil {
		t.Error("a number is a sum")
	}
	if _, ok := media.SumOf([]byte("short")); ok {
		t.Error("five bytes are a sum")
	}
}

// uses is an owner.
func uses(by map[media.Sum]media.Use, asked *[]int) media.Owner {
	return func(_ context.Context, sums []media.Sum) (map[media.Sum]media.Use, error) {
		if asked != nil {
			*asked = append(*asked, len(sums))
		}
		return by, nil
	}
}

func TestSweeping(t *testing.T) {
	t.Parallel()
	r := start(t, func(s *media.StoreOptions, _ *media.Options) { s.Retention = 48 * time.Hour })
	orphan, kept, needed, both := put(t, r, "orphan"), put(t, r, "kept"), put(t, r, "needed"), put(t, r, "both")
	r.Store().AddOwner(uses(map[media.Sum]media.Use{kept: media.Kept, both: media.Needed}, nil))
	r.Store().AddOwner(uses(map[media.Sum]media.Use{needed: media.Needed, both: media.Kept}, nil))
	sweep := func(want media.Swept) {
		t.Helper()
		if swept, err := r.Store().Sweep(t.Context()); err != nil || swept != want {
			t.Errorf("%+v, %v; want %+v", swept, err, want)
		}
	}
	sweep(media.Swept{}) // the orphan's row may still come
	r.clock.forward(2 * time.Hour)
	young := put(t, r, "young")
	sweep(media.Swept{Orphans: 1, Bytes: 6})
	r.clock.forward(47 * time.Hour)
	sweep(media.Swept{Orphans: 1, Expired: 1, Bytes: 9})
	for sum, want := range map[media.Sum]bool{orphan: false, kept: false, young: false, needed: true, both: true} {
		if r.Store().Has(sum) != want {
			t.Errorf("%s: it is %t that it is there", sum, !want)
		}
	}
}

// A file that is used again is young again.
func TestUsingAgain(t *testing.T) {
	t.Parallel()
	r := start(t, func(s *media.StoreOptions, _ *media.Options) { s.Retention = 48 * time.Hour })
	stored, touched := put(t, r, "stored"), put(t, r, "touched")
	r.Store().AddOwner(uses(map[media.Sum]media.Use{stored: media.Kept, touched: media.Kept}, nil))
	r.clock.forward(47 * time.Hour)
	put(t, r, "stored")
	if found, err := r.Store().Touch(touched); !found || err != nil {
		t.Error(found, err)
	}
	if found, err := r.Store().Touch(media.Sum{}); found || err != nil {
		t.Error(found, err)
	}
	r.clock.forward(47 * time.Hour)
	if swept, err := r.Store().Sweep(t.Context()); err != nil || swept != (media.Swept{}) {
		t.Errorf("%+v, %v", swept, err)
	}
}

func TestOutgrowing(t *testing.T) {
	t.Parallel()
	r := start(t, func(s *media.StoreOptions, _ *media.Options) { s.MaxBytes = 100 })
	known := map[media.Sum]media.Use{}
	r.Store().AddOwner(uses(known, nil))
	var sums []media.Sum
	for i := range 3 {
		sums = append(sums, put(t, r, strings.Repeat(string(rune('a'+i)), 40)))
		known[sums[i]] = media.Kept
		r.clock.forward(time.Second)
	}
	if _, _, err := r.Store().Put(t.Context(), "file", strings.NewReader(strings.Repeat("x", 40)), limit); !fault.Is(err, fault.Unavailable) {
		t.Errorf("far over the size: %v", err)
	}
	if swept, err := r.Store().Sweep(t.Context()); err != nil || swept != (media.Swept{Over: 1, Bytes: 40}) || r.Store().Has(sums[0]) {
		t.Errorf("%+v, %v", swept, err)
	}
	// What is needed stays, whatever the size.
	for _, sum := range sums {
		known[sum] = media.Needed
	}
	put(t, r, strings.Repeat("x", 40))
	if swept, err := r.Store().Sweep(t.Context()); err != nil || swept != (media.Swept{}) {
		t.Errorf("%+v, %v", swept, err)
	}
	if len(r.onDisk(t)) != 3 {
		t.Errorf("on disk is %v", r.onDisk(t))
	}
}

// Owners are asked about parts, and one that cannot answer costs no file.
func TestAskingOwners(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	for i := range 501 {
		put(t, r, strings.Repeat("x", i+1))
	}
	var asked []int
	broken := errors.New("no database")
	r.Store().AddOwner(uses(nil, &asked))
	r.Store().AddOwner(func(_ context.Context, sums []media.Sum) (map[media.Sum]media.Use, error) {
		if len(sums) == 1 {
			return nil, broken
		}
		return nil, nil
	})
	r.clock.forward(2 * time.Hour)
	swept, err := r.Store().Sweep(t.Context())
	if !errors.Is(err, broken) || swept.Orphans != 500 || !reflect.DeepEqual(asked, []int{500, 1}) || len(r.onDisk(t)) != 1 {
		t.Errorf("%+v, %v, asked %v", swept, err, asked)
	}
}

// Run sweeps when the files outgrow their size, and ends.
func TestRunning(t *testing.T) {
	t.Parallel()
	swept := make(chan struct{}, 1)
	r := start(t, func(s *media.StoreOptions, _ *media.Options) { s.MaxBytes = 10 })
	r.Store().AddOwner(func(context.Context, []media.Sum) (map[media.Sum]media.Use, error) {
		select {
		case swept <- struct{}{}:
		default:
		}
		return nil, nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.Store().Run(ctx)
	}()
	put(t, r, "12345678901")
	<-swept
	cancel()
	<-ended
}

// What arrives by download is measured, whatever its sender claims.
func TestDownloading(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	sum, size, err := r.Store().Download(t.Context(), 10, func(_ context.Context, file whatsmeow.File) error {
		// As DownloadToFile does: the MAC is cut off after it was written.
		_, err := io.Copy(file, strings.NewReader("0123456789"+"0123456789"))
		return errors.Join(err, file.Truncate(10))
	})
	if err != nil || size != 10 || sum != media.Sum(sha256.Sum256([]byte("0123456789"))) || !r.Store().Has(sum) {
		t.Errorf("%d bytes, %v", size, err)
	}
	if err = r.Store().Remove(sum); err != nil {
		t.Fatal(err)
	}
	endless := func(ctx context.Context, file whatsmeow.File) error {
		if _, isFile := file.(*os.File); isFile {
			t.Error("the download could allot as much as a server claims")
		}
		_, err := io.Copy(file, zeros{})
		if ctx.Err() == nil {
			t.Error("the download would be tried again")
		}
		return err
	}
	for name, download := range map[string]func(context.Context, whatsmeow.File) error{
		"endless": endless,
		"decrypted": func(_ context.Context, file whatsmeow.File) error {
			_, err := file.WriteAt(make([]byte, 2), 40)
			return err
		},
		"a little": func(_ context.Context, file whatsmeow.File) error {
			_, err := file.Write(make([]byte, 11))
			return err
		},
	} {
		_, _, err = r.Store().Download(t.Context(), 10, download)
		r.refused(t, name, err, fault.TooLarge, "", "10")
	}
	_, _, err = r.Store().Download(t.Context(), 10, func(context.Context, whatsmeow.File) error { return whatsmeow.ErrMediaDownloadFailedWith404 })
	if !errors.Is(err, whatsmeow.ErrMediaDownloadFailedWith404) || len(r.onDisk(t)) > 0 {
		t.Errorf("not found: %v", err)
	}
}

// zeros is a body without end.
type zeros struct{}

func (zeros) Read(into []byte) (int, error) { return len(into), nil }

// The draft of a reader that fails is removed.
func TestReadersThatFail(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	_, _, err := r.Store().Put(t.Context(), "file", io.MultiReader(strings.NewReader("x"), failing{}), limit)
	if !errors.Is(err, http.ErrBodyReadAfterClose) || len(r.onDisk(t)) > 0 {
		t.Errorf("%v, and %v stays", err, r.onDisk(t))
	}
	draft, err := r.Store().Draft(t.Context(), "file", bytes.NewReader([]byte("x")), limit)
	if err != nil {
		t.Fatal(err)
	}
	draft.Discard()
	draft.Discard()
	if err = draft.Keep(); err == nil || len(r.onDisk(t)) > 0 {
		t.Errorf("discarded, it is kept: %v", r.onDisk(t))
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, http.ErrBodyReadAfterClose }
