package session

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image/png"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"rsc.io/qr"
)

func TestRotation(t *testing.T) {
	codes := []string{"1", "2", "3", "4", "5", "6"}
	r := rotation{codes: codes, started: morning, first: 60 * time.Second, next: 20 * time.Second}
	for _, row := range []struct {
		after, until time.Duration
		code         string
	}{
		{0, 60 * time.Second, "1"},
		{60*time.Second - 1, 60 * time.Second, "1"},
		{60 * time.Second, 80 * time.Second, "2"},
		{139 * time.Second, 140 * time.Second, "5"},
		{140 * time.Second, 160 * time.Second, "6"},
	} {
		code, attempt, until, ok := r.at(morning.Add(row.after))
		if !ok || code != row.code || strconv.Itoa(attempt) != row.code || !until.Equal(morning.Add(row.until)) {
			t.Errorf("after %s: code %q, attempt %d, until %s, %v", row.after, code, attempt, until.Sub(morning), ok)
		}
	}
	if code, _, _, ok := r.at(morning.Add(160 * time.Second)); ok {
		t.Errorf("after the end code %q is shown", code)
	}
	if got := r.end().Sub(morning); got != 160*time.Second {
		t.Errorf("ends after %s", got)
	}
	r.codes = codes[:3]
	if _, _, until, _ := r.at(morning); until.Sub(morning) != 20*time.Second || r.end().Sub(morning) != time.Minute {
		t.Errorf("with three codes the first ends after %s, the last after %s", until.Sub(morning), r.end().Sub(morning))
	}
	if _, _, _, ok := (rotation{}).at(morning); ok {
		t.Error("no codes, and one is shown")
	}
}

// sample is as long as WhatsApp's codes are.
var sample = QR{Code: "https://wa.me/settings/linked_devices#2@" + strings.Repeat("Ab1+/", 45) + "==,1"}

func TestPNGShowsTheCode(t *testing.T) {
	picture, err := sample.PNG()
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	code, err := qr.Encode(sample.Code, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := img.Bounds().Dx(), (code.Size+2*quietZone)*moduleScale; got != want {
		t.Fatalf("%d pixels wide, expected %d", got, want)
	}
	for y := range code.Size {
		for x := range code.Size {
			r, _, _, _ := img.At((x+quietZone)*moduleScale+1, (y+quietZone)*moduleScale+1).RGBA()
			if (r == 0) != code.Black(x, y) {
				t.Fatalf("module %d,%d is wrong", x, y)
			}
		}
	}
}

func TestSVGShowsTheCode(t *testing.T) {
	picture, err := sample.SVG()
	if err != nil {
		t.Fatal(err)
	}
	var svg struct {
		ViewBox string `xml:"viewBox,attr"`
		Path    struct {
			D string `xml:"d,attr"`
		} `xml:"path"`
	}
	if err = xml.Unmarshal(picture, &svg); err != nil {
		t.Fatal(err)
	}
	code, err := qr.Encode(sample.Code, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	side := code.Size + 2*quietZone
	if want := fmt.Sprintf("0 0 %d %d", side, side); svg.ViewBox != want {
		t.Fatalf("view box %q, expected %q", svg.ViewBox, want)
	}
	black := map[[2]int]bool{}
	for _, bar := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`).FindAllStringSubmatch(svg.Path.D, -1) {
		x, _ := strconv.Atoi(bar[1])
		y, _ := strconv.Atoi(bar[2])
		width, _ := strconv.Atoi(bar[3])
		if bar[3] != bar[4] {
			t.Fatalf("bar %q does not close", bar[0])
		}
		for i := range width {
			black[[2]int{x + i - quietZone, y - quietZone}] = true
		}
	}
	for y := -quietZone; y < code.Size+quietZone; y++ {
		for x := -quietZone; x < code.Size+quietZone; x++ {
			if code.Black(x, y) != black[[2]int{x, y}] {
				t.Fatalf("module %d,%d is wrong", x, y)
			}
		}
	}
}
