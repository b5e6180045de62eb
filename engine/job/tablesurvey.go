package job

// TableSurvey is what a plan of a fusion or a decryption needs to know about an encrypted table.
type TableSurvey struct {
	Name            string    `json:"name"`
	Key             KeyReport `json:"key"`
	Layout          string    `json:"layout"`
	Records         int64     `json:"records"`
	Rows            int64     `json:"rows"`    // of the file: records or blocks
	Columns         int       `json:"columns"` // of ciphertexts
	CiphertextBytes int       `json:"ciphertext_bytes"`
	AddsUsed        int64     `json:"adds_used"` // times the weight that the fusion gives it
	MaxAdds         int64     `json:"max_adds"`
}
