package browsertest_test

import (
	"bytes"
	"flag"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

var pictures = flag.String("pictures", "", "folder to draw the pictures for the documents in")

// TestPictures draws what the documents show, if it is told where to, and looks at
// what it would draw otherwise.
func TestPictures(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.fill(t)
	b := newTab(t, s.URL)
	draw := func(name string) {
		t.Helper()
		drawn, err := png.Decode(bytes.NewReader(run(b, chromedp.CaptureScreenshot())))
		require.NoError(t, err)
		var small bytes.Buffer
		require.NoError(t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&small, withFewColours(drawn)))
		require.Less(t, small.Len(), 120_000, "%s is too large to go along with the source", name)
		t.Logf("%s: %d bytes", name, small.Len())
		if *pictures != "" {
			require.NoError(t, os.WriteFile(filepath.Join(*pictures, name+".png"), small.Bytes(), 0o644))
		}
	}
	wide := screen{"wide", 1000, 690, 1.5, false}
	b.look(wide, light)
	b.goTo("/alice/tokens")
	draw("tokens")
	b.look(wide, dark)
	draw("tokens-dark")
	b.look(phone, light)
	b.goTo("/alice/tokens")
	draw("tokens-phone")

	b.look(screen{"low", 1000, 560, 1.5, false}, light)
	b.goTo("/alice/tokens?do=new")
	b.write("#name", "Alice’s laptop")
	b.click(200, "form .primary")
	b.do(chromedp.SetValue(chromedp.CSS("#key"), "tok_0000000000EXAMPLE0KEY0OF0NO0TOKEN00000000000000000")) // the real one is nobody's business
	b.do(chromedp.Focus(chromedp.CSS("#copy")))
	draw("tokens-key")
}

// withFewColours keeps the 256 commonest colours of a picture, which is about all
// that a page has, and takes the nearest for the rest.
func withFewColours(img image.Image) *image.Paletted {
	counts := make(map[color.Color]int)
	bounds := img.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			counts[img.At(x, y)]++
		}
	}
	commonest := slices.SortedFunc(maps.Keys(counts), func(a, b color.Color) int { return counts[b] - counts[a] })
	small := image.NewPaletted(bounds, commonest[:min(256, len(commonest))])
	nearest := make(map[color.Color]uint8, len(counts))
	for c := range counts {
		nearest[c] = uint8(small.Palette.Index(c))
	}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			small.SetColorIndex(x, y, nearest[img.At(x, y)])
		}
	}
	return small
}
