package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
)

// A panel of the picture is some bars that belong together.
type panel struct {
	title string
	bars  []bar
}

type bar struct {
	label string
	rate  float64
	own   bool // this library's
}

// panels are what the picture shows: what is comparable, and what was measured.
func panels(r *results) []panel {
	var list []panel
	for _, p := range []struct {
		title, op string
		subjects  []string
	}{
		{"Tokens made per second, 64 callers, on disk", create, []string{own, scsSQLite, dexSQLite, pocketBase, pocketBaseShipped, raw}},
		{"Keys checked per second, 64 callers, on disk", lookUp, []string{own, scsSQLite, dexSQLite, pocketBase, raw}},
		{"Keys checked per second, 64 callers, in memory", lookUp, []string{ownMemory, scsMemory, dexMemory, oauth2Memory, digestMap}},
	} {
		panel := panel{title: p.title}
		for _, subject := range p.subjects {
			if s, ok := r.median(key{subject, p.op, 64}); ok {
				panel.bars = append(panel.bars, bar{subject, s.Rate, subject == own || subject == ownMemory})
			}
		}
		if len(panel.bars) > 0 {
			list = append(list, panel)
		}
	}
	return list
}

// drawing draws the panels below each other.
func drawing(r *results) []byte {
	const (
		width   = 720
		left    = 240 // where bars begin
		longest = 390 // of a bar
		line    = 24
		margin  = 16
	)
	list := panels(r)
	height := margin
	for _, p := range list {
		height += line*(len(p.bars)+1) + margin
	}

	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-labelledby="title">
<title id="title">How many tokens are made and how many keys are checked per second, by authtoken and by others</title>
<style>
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600 }
  .paper { fill: #ffffff; stroke: #d0d7de }
  .own { fill: #1f6feb }
  .other { fill: #9aa4af }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .paper { fill: #0d1117; stroke: #30363d }
    .own { fill: #4493f8 }
    .other { fill: #6e7681 }
  }
</style>
<rect class="paper" x="0.5" y="0.5" width="%d" height="%d" rx="6"/>
`, width, height, width, height, width-1, height-1)
	y := margin
	for _, p := range list {
		fmt.Fprintf(&b, "<text class=\"title\" x=\"%d\" y=\"%d\">%s</text>\n", margin, y+line-8, escape(p.title))
		y += line
		most := 0.0
		for _, bar := range p.bars {
			most = max(most, bar.rate)
		}
		for _, bar := range p.bars {
			class := "other"
			if bar.own {
				class = "own"
			}
			w := max(1, int(longest*bar.rate/most+0.5))
			fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>", left-8, y+line-8, escape(bar.label))
			fmt.Fprintf(&b, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"2\"/>", class, left, y+3, w, line-6)
			fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\">%s</text>\n", left+w+8, y+line-8, thousands(bar.rate))
			y += line
		}
		y += margin
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func escape(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a Buffer takes everything
	return b.String()
}
