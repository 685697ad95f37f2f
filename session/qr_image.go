package session

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// Geometry of the pictures, in modules and pixels per module. Scanners want
// four modules of quiet zone (ISO/IEC 18004).
const (
	quietZone   = 4
	moduleScale = 8
)

// PNG is the code as a picture, black on white.
func (q QR) PNG() ([]byte, error) {
	code, err := q.encode()
	if err != nil {
		return nil, err
	}
	code.Scale = moduleScale
	return code.PNG(), nil
}

// SVG is the code as a scalable picture, black on white, one module to a unit.
func (q QR) SVG() ([]byte, error) {
	code, err := q.encode()
	if err != nil {
		return nil, err
	}
	side := code.Size + 2*quietZone
	var svg strings.Builder
	fmt.Fprintf(&svg, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" shape-rendering="crispEdges">`,
		side, side, side*moduleScale, side*moduleScale)
	fmt.Fprintf(&svg, `<rect width="%d" height="%d" fill="#fff"/><path fill="#000" d="`, side, side)
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			width := 0
			for x+width < code.Size && code.Black(x+width, y) {
				width++
			}
			if width > 0 {
				fmt.Fprintf(&svg, "M%d %dh%dv1h-%dz", x+quietZone, y+quietZone, width, width)
				x += width
			}
		}
	}
	svg.WriteString(`"/></svg>`)
	return []byte(svg.String()), nil
}

// encode uses the lowest level of correction, as WhatsApp does: the codes are
// long, and larger modules are easier to scan from a screen.
func (q QR) encode() (*qr.Code, error) {
	code, err := qr.Encode(q.Code, qr.L)
	if err != nil {
		return nil, fmt.Errorf("draw the QR code: %w", err)
	}
	return code, nil
}
