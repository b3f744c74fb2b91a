package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// maxFieldBytes bounds a text field beside the file.
const maxFieldBytes = 1 << 20

// handleFile is POST /flows/file/{flowId}: a form with one file (with a name) or
// one url, and text fields. The file is streamed and only its hash kept.
func (s *Server) handleFile(w http.ResponseWriter, r *http.Request) {
	req := Request{Time: time.Now(), FlowID: r.PathValue("flowId"), Bytes: max(0, r.ContentLength)}
	if !s.welcome(w, r, &req, "multipart/form-data") {
		return
	}
	bad, misbehaves := s.drawFault()
	if misbehaves && bad.kind.Name == "reset-before" {
		s.resetEarly(w, r, req)
		return
	}
	parts, err := r.MultipartReader()
	if err != nil {
		s.turnAway(w, req, http.StatusBadRequest, "Invalid form: "+err.Error(), "INVALID_FORM")
		return
	}
	err = readForm(parts, &req)
	if err == nil {
		// Only behind a body's end does net/http notice that the client leaves.
		_, err = io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxFieldBytes))
	}
	req.Time = time.Now()
	switch {
	case errors.Is(err, errTooLarge):
		s.turnAway(w, req, http.StatusRequestEntityTooLarge, "File too large", "PAYLOAD_TOO_LARGE")
	case err != nil:
		s.turnAway(w, req, http.StatusBadRequest, "Invalid form: "+err.Error(), "INVALID_FORM")
	default:
		s.answer(&answering{server: s, w: w, r: r, file: true}, req, bad, nil)
	}
}

// readForm reads all parts and notes what they say in req.
func readForm(parts *multipart.Reader, req *Request) error {
	files, urls := 0, 0
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if part.FormName() == "file" {
			files++
			err = readFilePart(part, req)
		} else {
			if part.FormName() == "url" {
				urls++
			}
			err = readFieldPart(part, req)
		}
		if err != nil {
			return err
		}
	}
	if files+urls != 1 {
		return fmt.Errorf("it needs one file or one url, and has %d and %d", files, urls)
	}
	return nil
}

func readFilePart(part *multipart.Part, req *Request) error {
	if part.FileName() == "" {
		return errors.New("the file has no filename")
	}
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(part, maxFileBytes+1))
	req.Bytes = n
	if err != nil {
		return err
	}
	if n > maxFileBytes {
		return errTooLarge
	}
	req.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return nil
}

func readFieldPart(part *multipart.Part, req *Request) error {
	text, err := io.ReadAll(io.LimitReader(part, maxFieldBytes+1))
	if err != nil {
		return err
	}
	if len(text) > maxFieldBytes {
		return errTooLarge
	}
	if part.FormName() == batchName && jsontext.Value(text).IsValid() {
		f := readBatch(text)
		req.Key, req.Chunk, req.Records = f.key, f.chunk, f.records
	}
	return nil
}
