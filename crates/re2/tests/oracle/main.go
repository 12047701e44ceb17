// The oracle of the regular-expression cases: runs patterns through Go's own regexp package.
//
// A case is one line of JSON: {"p": pattern, "t": [texts]} with what Go makes of it, either
// "e": the error, or "n": names of the groups and for each text in "r": all matches with their groups as
// pairs of byte offsets (-1: took no part), whether ^(?s:pattern)$ matches, and the text with every match
// replaced by "<$1|${name}>".
//
// -write records, -generate SEED prints random cases, and without either the cases are compared.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"regexp"
	"strings"
)

type result struct {
	Matches  [][]int `json:"m"`
	Whole    bool    `json:"w"`
	Replaced string  `json:"s"`
}

type testCase struct {
	Pattern string   `json:"p"`
	Texts   []string `json:"t,omitempty"`
	Error   string   `json:"e,omitempty"`
	Names   []string `json:"n,omitempty"`
	Results []result `json:"r,omitempty"`
}

func run(c testCase) testCase {
	c.Error, c.Names, c.Results = "", nil, nil
	re, err := regexp.Compile(c.Pattern)
	if err != nil {
		c.Error = err.Error()
		return c
	}
	c.Names = re.SubexpNames()
	whole, err := regexp.Compile("^(?s:" + c.Pattern + ")$")
	for _, text := range c.Texts {
		r := result{Matches: re.FindAllStringSubmatchIndex(text, -1), Replaced: re.ReplaceAllString(text, "<$1|${name}>")}
		if r.Matches == nil {
			r.Matches = [][]int{}
		}
		if err == nil {
			r.Whole = whole.MatchString(text)
		}
		c.Results = append(c.Results, r)
	}
	return c
}

func line(c testCase) string {
	var buf bytes.Buffer
	encoder := json.NewEncoder(&buf)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(c); err != nil {
		panic(err)
	}
	return buf.String()
}

type maker struct{ *rand.Rand }

func (m maker) of(choices ...string) string { return choices[m.Intn(len(choices))] }

func (m maker) class() string {
	var out strings.Builder
	out.WriteString("[" + m.of("", "", "^", "]", "^]", "-"))
	for n := m.Intn(4); n >= 0; n-- {
		out.WriteString(m.of("a", "b", "c", "a-c", "A-Z", "0-9", "é", "世", "-", "_", "^", "[", "&&", "~~", "--", "\\d", "\\W", "\\s", "\\S", "\\w", "\\]", "\\-", "\\\\",
			"[:alpha:]", "[:^digit:]", "[:punct:]", "[:space:]", "[:word:]", "[:nope:]", "[:", "\\pL", "\\p{Lu}", "\\PN", "\\n", "\\x41", "\\x{e9}", "c-a", "a-\\d", "\\b", "\\Q", ".", "$", "|", "k", "s", "\\101", "\\1", "a-", "+--"))
	}
	return out.String() + m.of("]", "]", "]", "]", "]", "]", "]", "")
}

func (m maker) atom(depth int) string {
	switch n := m.Intn(20); {
	case n < 9:
		return m.of("a", "b", "c", "ab", "abc", "foo", "x", "1", "é", "世", " ", "-", ",", "{", "}", "]", "\"", "<", "#", "K", "s", "{,3}", "{a}", "{1", "{01}", "\\.")
	case n < 12:
		return m.class()
	case n < 14:
		return m.of(".", "^", "$", "\\b", "\\B", "\\A", "\\z", "\\d", "\\D", "\\w", "\\W", "\\s", "\\S", "\\Z", "\\G", "\\C", "\\1", "\\8", "\\y", "\\_", "\\/", "\\é", "\\<", "\\")
	case n < 15:
		return m.of("\\pL", "\\PL", "\\p{Greek}", "\\p{^Lu}", "\\P{^Han}", "\\p{letter}", "\\p{Any}", "\\p{ascii}", "\\p{LC}", "\\p{Nope}", "\\p", "\\pé", "\\p{", "\\p{L", "\\pl", "\\p{Old_Italic}", "\\p{olditalic}", "\\p{Decimal-Number}", "\\p{Assigned}", "\\p{Cn}")
	case n < 16:
		return m.of("\\x41", "\\x{1F600}", "\\x{}", "\\x{zz}", "\\x4", "\\x", "\\x{110000}", "\\x{41", "\\Qa.b\\E", "\\Q*+", "\\Q\\E", "\\E", "\\a\\f\\t\\n\\r\\v", "\\077", "\\0", "\\123", "\\400")
	default:
		if depth <= 0 {
			return "a"
		}
		open := m.of("(", "(", "(", "(?:", "(?:", "(?i)", "(?i:", "(?s)", "(?m)", "(?U)", "(?ims-U:", "(?-i)", "(?i-)", "(?--i)", "(?P<name>", "(?<name>", "(?P<a-b>", "(?P<", "(?<", "(?P=", "(?=", "(?!", "(?x)", "(?", "(?P<1>", "(?<name")
		if strings.HasSuffix(open, ")") {
			return open
		}
		return open + m.pattern(depth-1) + m.of(")", ")", ")", ")", ")", ")", ")", ")", ")", ")", ")", "")
	}
}

func (m maker) pattern(depth int) string {
	var out strings.Builder
	for n := m.Intn(4); n >= 0; n-- {
		out.WriteString(m.atom(depth))
		if m.Intn(3) == 0 {
			out.WriteString(m.of("*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{2,}", "{0}", "{0,1}?", "{,2}", "{3,2}", "{1001}", "{10}{10}", "**", "+*", "{2}{2}", "{99999999999}", "{ 1}", "{20}"))
		}
		if m.Intn(5) == 0 {
			out.WriteString(m.of("|", "|", "|", "||", ")"))
		}
	}
	return out.String()
}

var subjects = []string{"", "a", "b", "abc", "aab\nb", "ab12_é", "ABC abc", "foo.bar", "aaaa", "x\ny", "Kſks\u212a", "世界 αΒγ", "-a-b]", "{2}", "a,b;c", "a b  c\t\n", "((a))", "foo", "\n", "ab\nab\nab", "é", "aaabbbccc", "a.b\\E*+", "😀x"}

func main() {
	write := flag.Bool("write", false, "record what Go gives")
	seed := flag.Int64("generate", 0, "print this seed's random cases instead")
	count := flag.Int("count", 1000, "how many to generate")
	flag.Parse()
	if *seed != 0 {
		m := maker{rand.New(rand.NewSource(*seed))}
		for i := 0; i < *count; i++ {
			c := testCase{Pattern: m.pattern(2)}
			for n := 0; n < 3; n++ {
				c.Texts = append(c.Texts, subjects[m.Intn(len(subjects))])
			}
			fmt.Print(line(run(c)))
		}
		return
	}
	wrong := 0
	for _, path := range flag.Args() {
		text, err := os.ReadFile(path)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		var out strings.Builder
		for _, recorded := range strings.Split(strings.TrimSpace(string(text)), "\n") {
			var c testCase
			if err := json.Unmarshal([]byte(recorded), &c); err != nil {
				fmt.Fprintln(os.Stderr, path, err)
				os.Exit(2)
			}
			result := line(run(c))
			out.WriteString(result)
			if result != recorded+"\n" && !*write {
				wrong++
				fmt.Printf("%s: recorded:\n%s\nGo gives:\n%s\n", path, recorded, result)
			}
		}
		if *write {
			if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(2)
			}
		}
	}
	if wrong > 0 {
		os.Exit(1)
	}
}
