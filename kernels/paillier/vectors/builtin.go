package vectors

import (
	"embed"
	"path"
)

//go:embed testdata/*.json
var builtin embed.FS

// File is a file of known answers.
type File struct {
	Name string
	Data []byte
}

// BuiltIn returns the files of known answers that come with the program: one small key of each variant.
func BuiltIn() []File {
	entries, err := builtin.ReadDir("testdata")
	var files []File
	for _, e := range entries {
		var data []byte
		if data, err = builtin.ReadFile(path.Join("testdata", e.Name())); err != nil {
			break
		}
		files = append(files, File{Name: "built in: " + e.Name(), Data: data})
	}
	if err != nil {
		panic(err) // embedded files are there or the program does not build
	}
	return files
}
