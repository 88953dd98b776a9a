//! What Tilt adds to the language: records, dynamic loading, `exit()`, the text of values; and what stops a file.

use crate::support::{check, check_errors, load, printed};

#[test]
fn records_have_attributes_and_are_equal_by_them() {
    check(
        "s = struct(b='x', a=1)\nprint(s, s.a, dir(s), hasattr(s, 'c'), getattr(s, 'c', 0), s == struct(a=1, b='x'))\n",
        "struct(a = 1, b = \"x\") 1 [\"a\", \"b\"] False 0 True\n",
    );
    check(
        "print(struct(a=1, b=2) + struct(b=3), {struct(a=1): 'k'}[struct(a=1)], struct())\n",
        "struct(a = 1, b = 3) k struct()\n",
    );
    check(
        "m = module('tools', hammer=1)\nprint(m, type(m), m.hammer)\n",
        "<module \"tools\"> module 1\n",
    );
    check_errors(&[
        ("struct(1)", "struct: unexpected positional arguments"),
        (
            "struct(abc=1).abd",
            "struct has no .abd attribute (did you mean .abc?)",
        ),
        ("s = struct(a=1)\ns.a = 2", "can't assign to .a field of struct"),
        ("module()", "module: missing argument for name"),
    ]);
}

#[test]
fn values_are_shown_as_go_shows_them() {
    check(
        "print(['ü', 'a\"b'], 1e10, 123456789.0, 1.0, str([1.5]), repr('é'))\n",
        "[\"ü\", \"a\\\"b\"] 1e+10 1.23456789e+08 1.0 [1.5] \"é\"\n",
    );
    check(
        "def f(): pass\nprint(f, len, [lambda: 1])\n",
        "<function f> <built-in function len> [<function lambda>]\n",
    );
    check(
        "x = [1]\nx.append(x)\nprint(x, blob('b'), [blob('b')])\n",
        "[1, ...] b [b]\n",
    );
    check(
        "print('%s|%r|%d|%x|%o|%c|%g|%f|%%' % (['ü'], 'é', 2.7, 255, 8, 'a', 0.5, 2))\n",
        "[\"ü\"]|\"é\"|2|ff|10|a|0.5|2.000000|%\n",
    );
    check_errors(&[
        ("x = '%s' % (1, 2)", "Error: too many arguments for format string"),
        (
            "x = '%d' % 'a'",
            "Error: %d format requires integer: cannot convert string to int",
        ),
        ("x = '%5d' % 1", "Error: unknown conversion %5"),
        ("x = '%(a)s' % 1", "Error: format requires a mapping"),
        ("x = '%(a)s' % {}", "Error: key not found: a"),
        ("x = '%(a' % {}", "Error: incomplete format key"),
    ]);
}

#[test]
fn load_dynamic_gives_all_that_a_file_defines() {
    let files = "--- Tiltfile\nd = load_dynamic(blob('./lib'))\nprint(d, d['_b']())\nprint(load_dynamic('lib') == d)\n\
                 --- lib\nload('other', 'x')\na = 1\ndef _b(): return a\n--- other\nx = 2\n";
    assert_eq!(printed(files), "{\"_b\": <function _b>, \"a\": 1} 1\nTrue\n");
    check_errors(&[
        (
            "load_dynamic('nope')",
            "Error in load_dynamic: error reading file /src/nope: open /src/nope: no such file or directory",
        ),
        (
            "load_dynamic('a')['x'] = 1\n--- a\nx = 1",
            "cannot insert into frozen hash table",
        ),
        (
            "load_dynamic('a')['l'].append(1)\n--- a\nl = []",
            "append: cannot append to frozen list",
        ),
        (
            "load_dynamic('a')\n--- a\ninclude('Tiltfile')",
            "Circular load: /src/Tiltfile",
        ),
        (
            "load_dynamic(1)",
            "for parameter path: Value should be convertible to string, but is type int",
        ),
    ]);
}

#[test]
fn exit_ends_everything_without_an_error() {
    let files = "--- Tiltfile\nk8s_yaml(blob('{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}'))\n\
                 load('lib', 'f')\nf()\nfail('not reached')\n--- lib\ndef f():\n  g()\n  fail('nor this')\n\
                 def g(): exit('enough')\n";
    let load = load(files);
    assert_eq!(load.error_text(), None);
    assert_eq!(
        load.manifests.map(|manifests| manifests.len()),
        Some(1),
        "what came before counts"
    );
    check(
        "include('lib')\nfail('not reached')\n--- lib\nexit(code=3)\n",
        "3\n",
    );
    check("exit()\nfail('not reached')\n", "");
    check("exit(None)\n", "");
}

#[test]
fn what_cannot_be_parsed_is_told_in_gos_words() {
    check_errors(&[
        ("f('a' 'b')", "/src/Tiltfile:1:10: got string literal, want ','"),
        ("x = ('a' 'b')", "got string literal, want ')'"),
        ("print('x'", "got end of file, want ')'"),
        ("def f(a b): pass", "got identifier, want ','"),
        ("x = 1 +", "got newline, want primary expression"),
        ("x = 'abc", "unexpected newline in string"),
        ("x = 1\n  y = 2", "got indent, want primary expression"),
        ("x = 1 < 2 < 3", "(use parens)"),
        (
            "def f(*a, **k): pass\nf(*[1], a=1)",
            "keyword argument may not follow *args",
        ),
        ("x = 2 ** 3", "got '**', want newline"),
        ("x = f'a'", "got string literal, want newline"),
        ("x = f'a'", "f-strings are not part of the language"),
        ("def f(x: int): pass", "/src/Tiltfile:1:9: got ':', want ')'"),
        ("def f(x, *, y : str = ''): pass", "got ':', want ')'"),
        (
            "def f() -> str: return ''",
            "/src/Tiltfile:1:10: got '-', want ':'",
        ),
        ("x: int = 3", "/src/Tiltfile:1:3: got ':', want newline"),
        ("x: int = 3", "types are not part of the language"),
        ("break", "break not in a loop"),
        ("return 1", "return statement not within a function"),
        (
            "load('x')",
            "/src/Tiltfile:1:6: load statement must import at least 1 symbol",
        ),
        (
            "if True:\n  load('x', 'y')",
            "load statement within a conditional",
        ),
        ("for x in []:\n  load('x', 'y')", "load statement within a loop"),
        ("def f():\n  load('x', 'y')", "load statement within a function"),
    ]);
}

#[test]
fn what_a_star_stands_before_is_the_callers_fault() {
    check_errors(&[
        (
            "print(*None)",
            "/src/Tiltfile:1:6: in <toplevel>\nError: argument after * must be iterable, not NoneType",
        ),
        ("print(*1)", "Error: argument after * must be iterable, not int"),
        (
            "local_resource('a', *3)",
            "Error: argument after * must be iterable, not int",
        ),
        ("k8s_yaml(**[])", "Error: argument after ** must be a mapping"),
        ("def f(*a): pass\nf(*None)", "argument after * must be iterable"),
        (
            "def f(**a): pass\nf(**None)",
            "argument after ** must be a mapping",
        ),
        ("def f(**a): pass\nf(**{1: 2})", "keywords must be strings"),
    ]);
}

#[test]
fn what_is_gone_through_or_finished_cannot_be_changed() {
    check_errors(&[
        (
            "l = [1]\nfor x in l: l.append(2)",
            "Error in append: append: cannot append to list during iteration",
        ),
        (
            "l = [1]\nfor x in l: l.pop()",
            "pop: cannot delete from a list, dict or set during iteration",
        ),
        (
            "d = {1: 2}\nfor x in d: d[3] = 4",
            "cannot insert into hash table, nor assign to element of list, during iteration",
        ),
        (
            "d = {1: 2}\nfor x in d: d.update({3: 4})",
            "update: cannot insert into hash table during iteration",
        ),
        (
            "load('a', 'l')\nl.append(1)\n--- a\nl = []",
            "append: cannot append to frozen list",
        ),
        (
            "load('a', 'd')\nd[1] = 2\n--- a\nd = {}",
            "cannot insert into frozen hash table",
        ),
        ("os.x = 1", "can't assign to .x field of module"),
    ]);
}

#[test]
fn whatever_a_file_does_the_answer_is_an_error() {
    let brackets = format!("x = {}1{}", "(".repeat(100_000), ")".repeat(100_000));
    let sum = format!("x = {}1", "1 + ".repeat(20_000));
    let nots = format!("x = {}1", "not ".repeat(20_000));
    check_errors(&[
        ("x = 'a' * 10000000000000", "10000000000000"),
        ("x = [0] * 10000000000000", "10000000000000"),
        ("x = 1 << 100000000000", "shift"),
        (
            "x = []\nfor i in range(200000): x = [x]",
            "a value holds more than 10000 others within one another",
        ),
        (
            "def f(x): return f(x + 1)\nf(0)",
            "functions call each other without end",
        ),
        (
            "def f(n): return [f(n) for i in range(2)]\nf(0)",
            "functions call each other without end",
        ),
        (&sum, "operators in a row"),
        (&nots, "operators in a row"),
        (&brackets, "brackets are open within one another"),
    ]);
}
