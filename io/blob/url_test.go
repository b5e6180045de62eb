package blob

import "testing"

func TestParseURL(t *testing.T) {
	for name, want := range map[string]URL{
		"s3://b/k":                          {Scheme: "s3", Bucket: "b", Key: "k"},
		"S3://b":                            {Scheme: "s3", Bucket: "b"},
		"gs://b/":                           {Scheme: "gs", Bucket: "b"},
		"s3://b/d/part-?.csv":               {Scheme: "s3", Bucket: "b", Key: "d/part-?.csv"},
		"s3://b/k?region=x":                 {Scheme: "s3", Bucket: "b", Key: "k", Query: "region=x"},
		"s3://b?region=x":                   {Scheme: "s3", Bucket: "b", Query: "region=x"},
		"s3://b/a=1/x?y=2&z=h:":             {Scheme: "s3", Bucket: "b", Key: "a=1/x", Query: "y=2&z=h:"},
		"s3://b/p-?/*?endpoint=http://h:1/": {Scheme: "s3", Bucket: "b", Key: "p-?/*", Query: "endpoint=http://h:1/"},
		"azblob://c/a%20b#c":                {Scheme: "azblob", Bucket: "c", Key: "a%20b#c"},
		"file:///x/y":                       {Scheme: "file", Key: "x/y"},
	} {
		got, ok := ParseURL(name)
		if !ok || got != want {
			t.Errorf("%s: %+v, %v, want %+v", name, got, ok, want)
		}
		if again, ok := ParseURL(got.String()); !ok || again != got {
			t.Errorf("%s: written as %s, it is %+v", name, got, again)
		}
	}
	for _, name := range []string{"", "x", "/a/b", "a:b", "a/b://c", "1s://b", "C:\\d", "s3:/b/k"} {
		if u, ok := ParseURL(name); ok {
			t.Errorf("%q is the URL %+v", name, u)
		}
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"s3://b/x.csv.gz?endpoint=http://h/y.parquet": ".csv.gz", "s3://b/x.d/y": "", "gs://b/A.PARQUET": ".parquet",
	} {
		if got := Ext(name); got != want {
			t.Errorf("extension of %s: %q, want %q", name, got, want)
		}
	}
	for _, tt := range [][3]string{
		{"s3://b", "x", "s3://b/x"}, {"s3://b/", "x", "s3://b/x"}, {"s3://b/d", "x", "s3://b/d/x"}, {"s3://b/d/?region=r", "x", "s3://b/d/x?region=r"},
		{"a", "x", "a/x"}, {"a/", "x", "a/x"}, {".", "x", "x"}, {"/", "x", "/x"},
	} {
		if got := Join(tt[0], tt[1]); got != tt[2] {
			t.Errorf("%s and %s: %s, want %s", tt[0], tt[1], got, tt[2])
		}
	}
	for name, want := range map[string]string{"s3://b/d/e/x?r=http://h/y": "s3://b/d/e?r=http://h/y", "s3://b/x": "s3://b", "a/x": "a", "x": ".", "/x": "/"} {
		if got := Dir(name); got != want {
			t.Errorf("directory of %s: %s, want %s", name, got, want)
		}
	}
	if got := Path("s3://b/a=1/x?y=2"); got != "a=1/x" {
		t.Errorf("path %s", got)
	}
}
