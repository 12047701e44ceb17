// The oracle of the template cases: runs every case of the given files through Go's own text/template and
// html/template and compares, or with -write records, what comes out.
//
// A case file holds blocks of lines, separated by blank lines:
//
//	# a remark
//	@ html error       options: html, and what missing keys give (zero, default, error)
//	> {{.Name}}        the template; more such lines are more lines of it
//	= text             the output, line by line
//	! message          or the error
//
// ">j", "=j" and "!j" carry the text as one JSON string, for characters that lines cannot hold.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	htmltemplate "html/template"
	"math"
	"os"
	"sort"
	"strings"
	"text/template"
	"time"
	_ "time/tzdata"
	"unicode"
	"unicode/utf8"
)

// KV is a map with methods, as label maps are.
type KV map[string]string

func (kv KV) Names() []string {
	names := make([]string, 0, len(kv))
	for name := range kv {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func (kv KV) Remove(names []string) KV {
	out := KV{}
	for name, value := range kv {
		out[name] = value
	}
	for _, name := range names {
		delete(out, name)
	}
	return out
}

func (kv KV) Get(name string) (string, error) {
	if value, ok := kv[name]; ok {
		return value, nil
	}
	return "", fmt.Errorf("no label %q", name)
}

func (kv KV) Concat(separator string, more ...string) string {
	return strings.Join(append(kv.Names(), more...), separator)
}

// Pairs is a list that prints in its own way.
type Pairs []Pair

type Pair string

func (p Pairs) String() string {
	var texts []string
	for _, pair := range p {
		texts = append(texts, string(pair))
	}
	return strings.Join(texts, "; ")
}

// Alert is a struct.
type Alert struct {
	Status string
	Labels KV
	Value  float64
}

// Alerts is a list with methods.
type Alerts []Alert

func (as Alerts) Firing() []Alert {
	var out []Alert
	for _, a := range as {
		if a.Status == "firing" {
			out = append(out, a)
		}
	}
	return out
}

func data() map[string]any {
	labels := KV{"alertname": "Down", "job": "node", "zone": "a<b>&\"c\""}
	return map[string]any{
		"Name": "O'Reilly <b> & co", "Empty": "", "Word": "héllo, 世界", "Tab": "a\tb\nc\\d\x00e\u2028f",
		"Count": 3, "Zero": 0, "Minus": -42, "Big": 9007199254740993,
		"Ratio": 0.25, "Million": 1234567.0, "Tiny": 1e-7, "Huge": 1e21, "NaN": math.NaN(), "Inf": math.Inf(1),
		"Yes": true, "No": false, "Nil": nil,
		"Items": []any{"a", "b", "c"}, "Mixed": []any{1, "two", 3.5, true, nil, []any{"x"}}, "None": []any{},
		"Strs": []string{"x", "y", "z"}, "KV": labels, "Map": map[string]string{"k": "v", "a": "b<c>"},
		"Any": map[string]any{"n": 1, "s": "str", "nil": nil, "deep": map[string]any{"x": []any{1, 2}}},
		"NoMap": map[string]string{}, "Pairs": Pairs{"a=1", "b=2"},
		"Alerts": Alerts{{"firing", labels, 1.5}, {"resolved", KV{"job": "db"}, 0}},
		"At":     time.Date(2023, 11, 14, 22, 13, 20, 123000000, time.UTC), "Never": time.Time{},
		"Took": 90*time.Second + 500*time.Millisecond, "NoTime": time.Duration(0),
		"Html": htmltemplate.HTML("<b class=\"x\">bo&amp;ld</b> <i>'it'</i>"), "Url": htmltemplate.URL("javascript:f(1, 2)"),
		"Link": "http://x.example/a b/?q=c d&e=f#g", "Script": "javascript:alert(1)", "Path": "/a/b?c=d e",
		"Css": "color: red", "Evil": "expression(alert(1))", "Set": "/a.png 1x, http://b/c d.png 2x, javascript:x 3x",
		"Quote": "'\"`\\/<!--</script>${x}", "Attr": "Title", "On": "onclick",
	}
}

var funcs = map[string]any{
	"toUpper":  strings.ToUpper,
	"half":     func(v float64) float64 { return v / 2 },
	"next":     func(n int) int { return n + 1 },
	"not1":     func(b bool) bool { return !b },
	"fail":     func() (string, error) { return "", errors.New("no luck") },
	"failIf":   func(b bool, text string) (string, error) { return text, map[bool]error{true: errors.New("it <failed>")}[b] },
	"safeHtml": func(s string) htmltemplate.HTML { return htmltemplate.HTML(s) },
	"safeUrl":  func(s string) htmltemplate.URL { return htmltemplate.URL(s) },
	"list":     func(items ...any) []any { return items },
	"strs":     func(items ...string) []string { return items },
	"join":     func(separator string, items []string) string { return strings.Join(items, separator) },
	"nothing":  func() any { return nil },
	"size":     func(kv KV) int { return len(kv) },
	"sum": func(first string, rest ...int) string {
		n := 0
		for _, r := range rest {
			n += r
		}
		return fmt.Sprint(first, n)
	},
	"pause": func(d time.Duration) string { return d.String() },
	"year":  func(t time.Time) int { return t.Year() },
	"toTime": time.Parse,
	"unix":   func(seconds, nanos int) time.Time { return time.Unix(int64(seconds), int64(nanos)).UTC() },
	"zone": func(name string, t time.Time) (time.Time, error) {
		location, err := time.LoadLocation(name)
		if err != nil {
			return t, err
		}
		return t.In(location), nil
	},
	"show":  func(v any) string { return fmt.Sprintf("%v", v) },
}

type testCase struct {
	lines    []string // remarks and options
	options  []string
	template string
	recorded string
}

func render(c testCase) (out string, err error) {
	html, missing := false, "zero"
	for _, option := range c.options {
		if option == "html" {
			html = true
		} else {
			missing = option
		}
	}
	var buf bytes.Buffer
	if html {
		t, err := htmltemplate.New("t").Funcs(funcs).Option("missingkey=" + missing).Parse(c.template)
		if err != nil {
			return "", err
		}
		err = t.Execute(&buf, data())
		return buf.String(), err
	}
	t, err := template.New("t").Funcs(funcs).Option("missingkey=" + missing).Parse(c.template)
	if err != nil {
		return "", err
	}
	err = t.Execute(&buf, data())
	return buf.String(), err
}

// block writes a text behind a mark, as lines if lines can hold it.
func block(mark, text string) string {
	plain := utf8.ValidString(text) && !strings.HasSuffix(text, " ")
	for _, r := range text {
		if r != '\n' && !unicode.IsPrint(r) || r == utf8.RuneError {
			plain = false
		}
	}
	for _, line := range strings.Split(text, "\n") {
		if strings.TrimRight(line, " ") != line {
			plain = false
		}
	}
	if !plain {
		var buf bytes.Buffer
		encoder := json.NewEncoder(&buf)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(text); err != nil {
			panic(err)
		}
		return mark + "j " + buf.String()
	}
	var out strings.Builder
	for _, line := range strings.Split(text, "\n") {
		out.WriteString(strings.TrimRight(mark+" "+line, " ") + "\n")
	}
	return out.String()
}

func run(c testCase) string {
	out, err := render(c)
	result := block("=", out)
	if err != nil {
		result = block("!", err.Error())
	}
	return strings.Join(append(c.lines, block(">", c.template)), "") + result
}

func parse(text string) (cases []testCase) {
	for _, paragraph := range strings.Split(strings.TrimSpace(text), "\n\n") {
		var c testCase
		var template []string
		for _, line := range strings.Split(strings.TrimSpace(paragraph), "\n") {
			switch mark, rest, _ := strings.Cut(line, " "); {
			case mark == ">":
				template = append(template, rest)
			case mark == ">j":
				var text string
				if err := json.Unmarshal([]byte(rest), &text); err != nil {
					panic(err)
				}
				template = append(template, text)
			case mark == "@":
				c.options = strings.Fields(rest)
				c.lines = append(c.lines, line+"\n")
			case mark == "#":
				c.lines = append(c.lines, line+"\n")
			}
			c.recorded += line + "\n"
		}
		if template == nil {
			// A remark of its own.
			c.template = "\x00"
		} else {
			c.template = strings.Join(template, "\n")
		}
		cases = append(cases, c)
	}
	return cases
}

func main() {
	write := flag.Bool("write", false, "record what Go gives")
	seed := flag.Int64("generate", 0, "print this seed's generated templates instead")
	count := flag.Int("count", 200, "how many to generate")
	kind := flag.String("kind", "text", "what to generate: text, printf, html, broken, time")
	flag.Parse()
	if *seed != 0 {
		generate(*seed, *count, *kind)
		return
	}
	wrong := 0
	for _, path := range flag.Args() {
		text, err := os.ReadFile(path)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		var parts []string
		for _, c := range parse(string(text)) {
			result := c.recorded
			if c.template != "\x00" {
				result = run(c)
			}
			if result != c.recorded && !*write {
				wrong++
				fmt.Printf("%s: recorded:\n%sGo gives:\n%s\n", path, c.recorded, result)
			}
			parts = append(parts, result)
		}
		if *write {
			if err := os.WriteFile(path, []byte(strings.Join(parts, "\n")), 0o644); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(2)
			}
		}
	}
	if wrong > 0 {
		os.Exit(1)
	}
}
