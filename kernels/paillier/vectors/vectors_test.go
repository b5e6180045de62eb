package vectors

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cipherfold/cipherfold/kernels/paillier"
)

// sharedVectors is where the known answers of the whole project are, beside the repository.
const sharedVectors = "../../../../shared/vectors"

func TestShared(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(sharedVectors, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Logf("NOT CHECKED: there are no files in %s", sharedVectors)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, kernel := range paillier.Kernels() {
			t.Run(kernel.Name+"/"+filepath.Base(file), func(t *testing.T) {
				start := time.Now()
				report, err := Check(file, data, kernel.Name)
				if strings.Contains(file, "encoding") {
					if !errors.Is(err, ErrEncodingFile) {
						t.Fatal(err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				t.Log(report, time.Since(start))
			})
		}
	}
}
