package main

import (
	"fmt"
	"math/rand"
	"strings"
)

// Generated templates: pieces of the language put together at random, most of them meaningful.

type maker struct{ *rand.Rand }

func (m maker) of(choices ...string) string { return choices[m.Intn(len(choices))] }

func (m maker) path() string {
	return m.of(".", "$", ".Name", ".Count", ".Zero", ".Ratio", ".Million", ".Yes", ".Nil", ".Items", ".Mixed", ".None",
		".Strs", ".KV", ".KV.job", ".KV.nope", ".Map.k", ".Map.nope", ".Any.n", ".Any.deep.x", ".Any.nil", ".Any.nope",
		".Any.nope.deeper", ".Alerts", ".At", ".At.Year", ".Took", ".Took.Seconds", ".Word", ".Empty", ".Nope",
		".Alerts.Firing", ".KV.Names", ".Count.Nope", "$.Count", "$.Items", ".Strs", ".Html", ".Minus", ".Inf", ".NaN")
}

func (m maker) literal() string {
	return m.of("0", "1", "2", "-1", "3.5", "1e3", "0x1F", "0b101", "0o17", "017", "1_000", "'a'", "'\\n'", "\"\"", "\"a\"",
		"\"job\"", "`raw`", "true", "false", "nil", "1.0", "'世'", "\"\\u00e9\\x41\"", "+5", "-0", "1e-7", "0x1p4", ".5")
}

func (m maker) operand(depth int) string {
	switch n := m.Intn(10); {
	case n < 5:
		return m.path()
	case n < 8 || depth <= 0:
		return m.literal()
	default:
		return "(" + m.pipeline(depth-1) + ")" + m.of("", "", "", ".job", ".Name", ".Year")
	}
}

func (m maker) call(depth int) string {
	o := func() string { return m.operand(depth - 1) }
	many := func(least int) string {
		var out []string
		for n := least + m.Intn(3); n > 0; n-- {
			out = append(out, o())
		}
		return strings.Join(out, " ")
	}
	switch m.Intn(22) {
	case 0:
		return m.of("eq", "ne", "lt", "le", "gt", "ge") + " " + o() + " " + o()
	case 1:
		return "eq " + many(1)
	case 2:
		return m.of("and", "or") + " " + many(1)
	case 3:
		return "not " + o()
	case 4:
		return "len " + o()
	case 5:
		return "index " + many(1)
	case 6:
		return "slice " + many(1)
	case 7:
		return m.of("print", "println", "html", "js", "urlquery") + " " + many(0)
	case 8:
		return "printf " + m.of("\"%v|%v\"", "\"%d %s\"", "\"%q\"", "\"%T\"", "\"%5.2f\"", "\"%+v %x\"", o()) + " " + many(0)
	case 9:
		return m.of("toUpper", "half", "next", "not1", "size", "year", "pause", "show", "safeHtml") + " " + o()
	case 10:
		return m.of("toUpper", "half", "next", "show") + " " + many(0)
	case 11:
		return "join " + o() + " " + m.of(".Strs", ".KV.Names", "(strs \"p\" \"q\")", o())
	case 12:
		return m.of("list", "strs") + " " + many(0)
	case 13:
		return "sum " + many(0)
	case 14:
		return m.of(".KV.Remove", ".KV.Get", ".KV.Concat", ".KV.Names", ".At.Format", ".At.Add", ".Count", ".Map.k", ".Took.Round") + " " + many(0)
	case 15:
		return m.of("fail", "nothing", "failIf "+o()+" "+o(), "call "+many(0))
	default:
		return o()
	}
}

func (m maker) pipeline(depth int) string {
	out := m.call(depth)
	for m.Intn(4) == 0 {
		out += " | " + m.of("len", "printf \"%v\"", "toUpper", "not", "print", "html", "js", "urlquery", "index .Items",
			"eq 1", "and 1", "or 0", "list", "half", "next", "show", ".KV.Get", "$x", "sum \"a\"", "slice \"hello\" 1", "join \",\"")
	}
	return out
}

func (m maker) body(depth int) string {
	var out strings.Builder
	for n := 1 + m.Intn(2); n > 0; n-- {
		p := func() string { return m.pipeline(m.Intn(3)) }
		l, r := m.of("{{", "{{ ", "{{- "), m.of("}}", " }}", " -}}")
		if depth <= 0 {
			out.WriteString(m.of(" x ", "\n", "") + l + p() + r)
			continue
		}
		inner := func() string { return m.body(depth - 1) }
		switch m.Intn(12) {
		case 0, 1:
			out.WriteString("{{if " + p() + "}}" + inner() + m.of("", "{{else}}"+inner(), "{{else if "+p()+"}}"+inner()) + "{{end}}")
		case 2, 3:
			out.WriteString("{{with " + m.of("", "$x := ") + p() + "}}" + inner() + m.of("", "{{else}}"+inner(), "{{else with "+p()+"}}"+inner()) + "{{end}}")
		case 4, 5, 6:
			out.WriteString("{{range " + m.of("", "$x := ", "$i, $x := ", "$x, $i = ") + m.of(".Items", ".Mixed", ".KV", ".Map", ".Alerts", ".Strs", "3", ".None", ".Any", p()) + "}}" +
				m.of("", "{{if eq $x \"b\"}}{{break}}{{end}}", "{{if $x}}{{continue}}{{end}}") + inner() + m.of("", "{{else}}"+inner()) + "{{end}}")
		case 7:
			out.WriteString("{{$x = " + p() + "}}" + inner() + "{{$x}}")
		case 8:
			out.WriteString("{{template \"t1\" " + p() + "}}")
		default:
			out.WriteString("a " + l + p() + r + " b")
		}
	}
	return out.String()
}

func (m maker) format() string {
	var out strings.Builder
	for n := 1 + m.Intn(3); n > 0; n-- {
		out.WriteString(m.of("", "x", " ") + "%" + m.of("", "", "+", "-", "#", " ", "0", "+0", "-0", "#+", "# ") + m.of("", "", "[1]", "[2]", "[9]", "[x]") +
			m.of("", "", "6", "12", "1", "*") + m.of("", "", ".0", ".2", ".5", ".", ".*", ".20") +
			m.of("v", "v", "d", "s", "q", "x", "X", "f", "g", "G", "e", "E", "t", "T", "c", "U", "b", "o", "O", "F", "z", "%", ""))
	}
	return out.String()
}

func (m maker) layout() string {
	var out strings.Builder
	for n := 1 + m.Intn(6); n > 0; n-- {
		out.WriteString(m.of("2006", "06", "01", "1", "Jan", "January", "02", "2", "_2", "002", "__2", "15", "03", "3", "04", "4", "05", "5", "PM", "pm", "MST", "Z07:00", "-0700", "-07:00", "-07",
			"Z0700", "Z07", "-07:00:00", "-070000", "Z070000", ".000", ".999", ",000", ".000000000", ".999999999", "Mon", "Monday", ".00", "Januar", "Mo", "20060102", "2006-01-02T15:04:05.999999999Z07:00", "Mon Jan _2 15:04:05 2006",
			"Monday, 02-Jan-06 15:04:05 MST", "3:04PM", "Jan _2 15:04:05.000", "x", "T", "7", "08"))
		out.WriteString(m.of("", " ", "-", ":", "/", "T", ".", ","))
	}
	return out.String()
}

func (m maker) instant() string {
	return fmt.Sprintf("(unix %d %d)", m.Int63n(6_000_000_000)-2_000_000_000, []int{0, 0, 123_000_000, 5, 999_999_999, 120_000}[m.Intn(6)])
}

func (m maker) time() string {
	zone := m.of("", "", " | zone \"Europe/Berlin\"", " | zone \"America/New_York\"", " | zone \"Asia/Kolkata\"", " | zone \"UTC\"", " | zone \"\"", " | zone \"Pacific/Apia\"", " | zone \"Nope/Nope\"", " | zone \"utc\"", " | zone \"../x\"", " | zone \"Asia/Tehran\"")
	switch m.Intn(4) {
	case 0:
		return fmt.Sprintf("{{(%s%s).Format %q}}", m.instant(), zone, m.layout())
	case 1:
		return fmt.Sprintf("{{%s%s}}", m.instant(), zone)
	case 2:
		// What was printed with a layout is read with it again, sometimes damaged.
		layout := m.layout()
		text := fmt.Sprintf("((%s%s).Format %q)", m.instant(), m.of("", zone), layout)
		if m.Intn(3) == 0 {
			layout = m.layout()
		}
		if m.Intn(3) == 0 {
			text = fmt.Sprintf("(printf \"%%s%%s\" (slice %s %d) %q)", text, m.Intn(3), m.of("", "x", "5", " ", ".5", "Z", "+01:00", " AM"))
		}
		return fmt.Sprintf("{{toTime %q %s}}", layout, text)
	default:
		return fmt.Sprintf("{{toTime %q %q}}", m.of("2006-01-02", "2006-01-02T15:04:05Z07:00", "15:04:05", "Jan 2 2006", "02/Jan/2006:15:04:05 -0700", "Mon, 02 Jan 2006 15:04:05 MST", "2006-002", "3:04 PM", "_2 January 06"),
			m.of("2024-02-29", "2023-02-29", "2024-13-01", "2024-1-1", "2024-02-29T13:34:56.5+01:00", "2024-02-29T24:00:00Z", "2024-02-29T12:60:00Z", "12:34:56.789", "Feb 30 2024", "feb 3 2024", "29/Feb/2024:12:34:56 +0100", "Thu, 29 Feb 2024 12:34:56 CET",
				"Fri, 29 Feb 2024 12:34:56 UTC", "2024-366", "2023-366", "2024-000", "1:05 PM", "13:05 PM", "12:05 am", "12:05 AM", " 5 March 68", "5 march 69", "2024-02-29T12:34:56,5Z", "2024-02-29T12:34:56+24:00", "2024-02-29 12:00", "", "é", "02024-01-01"))
	}
}

func (m maker) page(depth int) string {
	v := func() string {
		return m.of("{{.Name}}", "{{.Link}}", "{{.Script}}", "{{.Count}}", "{{.Html}}", "{{.Url}}", "{{.Path}}", "{{.Quote}}", "{{.Css}}", "{{.Evil}}",
			"{{.Nil}}", "{{.Nope}}", "{{.Empty}}", "{{.Items}}", "{{.Any}}", "{{.Took}}", "{{.At}}", "{{.Tab}}", "{{.Set}}", "{{.Attr}}", "{{.On}}", "{{.Word}}",
			"{{.Name | html}}", "{{.Link | urlquery}}", "{{html .Name .Count}}", "{{print .Name 1}}", "{{.Ratio}}", "{{.NaN}}", "{{.KV}}", "{{.Pairs}}", "{{.Million}}", "{{.Name | js}}",
			"{{printf \"%s?x=%d\" .Path 1}}", "{{.Yes}}", "{{.Strs}}", "{{safeHtml .Quote}}", "{{template \"t1\" .}}", "{{$x := .Name}}{{$x}}")
	}
	inner := func() string {
		if depth <= 0 {
			return v()
		}
		return m.page(depth - 1)
	}
	switch m.Intn(30) {
	case 0:
		return "<p>" + v() + "</p>"
	case 1:
		return "<a href=\"" + m.of("", "/x/", "/x?y=", "#", "http://h/") + v() + m.of("", "/z", "&k="+v()) + "\">" + inner() + "</a>"
	case 2:
		return "<a href=" + m.of("", "/x?y=") + v() + ">"
	case 3:
		return "<img src='" + v() + "' title='" + v() + "' alt=" + v() + ">"
	case 4:
		return "<img srcset=\"" + v() + m.of("", ", "+v()) + "\">"
	case 5:
		return "<div style=\"" + m.of("color: ", "width: ", "background: url(", "background: url('", "font: '", "") + v() + m.of("", "px", ")", "')", "'") + "\">"
	case 6:
		return "<style>p { color: " + v() + "; /* " + v() + " */ background: url(\"" + v() + "\") }</style>"
	case 7:
		return "<script>var a = " + v() + ", b = '" + v() + "', c = \"" + v() + "\"; // " + v() + "\nvar d = /" + v() + "/g;</script>"
	case 8:
		return "<script>" + m.of("x = ", "f(", "return ", "a / ", "[", "`t${") + v() + m.of("", ")", " / 2", "]", "}`") + "</script>"
	case 9:
		return "<button onclick=\"" + m.of("f(", "g('", "x = ", "h(&quot;") + v() + m.of(")", "')", "", "&quot;)") + "\">" + inner() + "</button>"
	case 10:
		return "<!-- " + v() + " -->" + inner()
	case 11:
		return "<textarea>" + v() + "</textarea><title>" + v() + " < x</title>"
	case 12:
		return "<p " + v() + "=\"" + v() + "\">"
	case 13:
		return "<p data-" + m.of("x", "url", "src") + "=\"" + v() + "\" " + m.of("class", "id", "action", "onfoo", "style") + "=" + v() + ">"
	case 14:
		return "{{if .Yes}}" + inner() + m.of("", "{{else}}"+inner()) + "{{end}}"
	case 15:
		return "{{range .Items}}" + inner() + "{{if .}}{{break}}{{end}}" + m.of("", "{{else}}"+inner()) + "{{end}}"
	case 16:
		return "{{with .KV}}" + inner() + "{{end}}"
	case 17:
		return "<a {{if .Yes}}href=\"" + v() + "\"{{else}}title='" + v() + "'{{end}}>" + v() + "</a>"
	case 18:
		return "<a href=\"{{if .No}}/x?{{else}}/y{{end}}" + v() + "\">"
	case 19:
		return "<script>{{if .Yes}}x = 1{{else}}y(2){{end}} " + m.of("/ 2", "/x/g", v()) + "</script>"
	case 20:
		return "<meta http-equiv=refresh content=\"" + m.of("0; url=", "") + v() + "\">"
	case 21:
		return "<script type=\"" + m.of("text/template", "application/json", "text/javascript; x=y", "module", "text/x-foo") + "\">" + v() + "</script>"
	case 22:
		return "<input value=" + v() + " " + m.of("checked", v()) + ">"
	case 23:
		return "<script>`a" + v() + "${ {x: " + v() + "} }b`; <!-- c\n--> d\n" + m.of("#!x", "#p in o", "") + "</script>"
	case 24:
		return "a < b " + v() + " <" + m.of("!DOCTYPE html>", "x-y:z ", "/p>", "3") + inner()
	case 25:
		return "<style>" + m.of("a::after { content: '", "@import '", "b { c: d\\2f ", "// x\n") + v() + m.of("' }", "'", "}") + "</style>"
	case 26:
		return "<iframe srcdoc=\"" + v() + "\" src=" + v() + "></iframe>"
	case 27:
		return m.of("<p title='x", "<a href=\"", "<script>'", "<style>\"", "<p ", "<!-- ", "<script>/a", "<script>`", "<p x=") + v()
	case 28:
		return m.of("<p x=a\"b>", "<p 'x'>", "<a =x>", "<script>\"\\", "<style>'\\", "<script>/[", "<p x==y>", "<p x`=y>") + v()
	default:
		return v() + " " + inner()
	}
}

func generate(seed int64, count int, kind string) {
	m := maker{rand.New(rand.NewSource(seed))}
	for i := 0; i < count; i++ {
		var text, options string
		switch kind {
		case "text":
			text = "{{$x := 1}}{{$i := 0}}{{define \"t1\"}}[{{.}}]{{end}}" + m.body(m.Intn(2))
			options = m.of("", "", "@ default\n", "@ error\n")
		case "broken":
			// One character of a good template replaced, removed or doubled.
			text = "{{$x := 1}}{{$i := 0}}" + m.body(1)
			at := m.Intn(len(text))
			text = text[:at] + m.of("", "{{", "}}", "(", ")", "|", ".", "$", "\"", " ", ":", "=", "'", "`", "-", "end", "5", "\n", "&", "é", ",", "/*", "nil", "{{else}}", "{{end}}", "{{define \"d\"}}", "{{break}}") + text[at+m.Intn(2):]
		case "printf":
			text = "{{printf " + fmt.Sprintf("%q", m.format())
			for n := m.Intn(4); n > 0; n-- {
				text += " " + m.of(".Count", ".Ratio", ".Name", ".Minus", ".Items", ".KV", ".Nil", ".Yes", ".Took", ".Million", ".Inf", ".Word", ".Big", ".Mixed", ".Strs", ".Tiny", ".Huge", "65", "-7", "1.5", "\"%\"", "'x'", ".Html", "(index \"abc\" 1)", ".Tab")
			}
			text += "}}"
		case "time":
			text = m.time()
		case "html":
			options = "@ html" + m.of("", "", " default") + "\n"
			text = "{{define \"t1\"}}" + m.of("<b>{{.}}</b>", "{{.Name}}", "x") + "{{end}}" + m.page(2)
		}
		fmt.Print(options + block(">", text) + "=\n\n")
	}
}
