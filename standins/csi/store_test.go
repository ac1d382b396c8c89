package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func opened(t *testing.T) *store {
	t.Helper()
	s, err := openStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func made(t *testing.T, s *store, kind, name, from string, wanted about) about {
	t.Helper()
	found, err := s.make(kind, name, from, wanted)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestASnapshotKeepsWhatTheVolumeHeldAndOutlivesIt(t *testing.T) {
	s := opened(t)
	made(t, s, volumes, "pvc-1", "", about{Bytes: 5})
	file := filepath.Join(s.data(volumes, "pvc-1"), "file")
	if err := os.WriteFile(file, []byte("then"), 0o600); err != nil {
		t.Fatal(err)
	}
	made(t, s, snapshots, "snap-1", s.data(volumes, "pvc-1"), about{Source: "pvc-1"})
	if err := os.WriteFile(file, []byte("now"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.remove(volumes, "pvc-1"); err != nil {
		t.Fatal(err)
	}
	made(t, s, volumes, "pvc-2", s.data(snapshots, "snap-1"), about{Bytes: 5})
	text, err := os.ReadFile(filepath.Join(s.data(volumes, "pvc-2"), "file"))
	if err != nil || string(text) != "then" {
		t.Fatalf("%q, %v", text, err)
	}
}

func TestASecondCallChangesNothingAndSaysWhatIsThere(t *testing.T) {
	s := opened(t)
	made(t, s, volumes, "pvc-1", "", about{Bytes: 5})
	found := made(t, s, volumes, "pvc-1", "", about{Bytes: 9})
	if found.Bytes != 5 {
		t.Fatalf("%+v", found)
	}
}

func TestRemovingTwiceIsNoError(t *testing.T) {
	s := opened(t)
	made(t, s, volumes, "pvc-1", "", about{})
	for range 2 {
		if err := s.remove(volumes, "pvc-1"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.find(volumes, "pvc-1"); !errors.Is(err, errAbsent) {
		t.Fatal(err)
	}
}

func TestANameThatLeadsElsewhereIsRefused(t *testing.T) {
	s := opened(t)
	outside := filepath.Join(filepath.Dir(s.root), "outside")
	if err := os.MkdirAll(outside, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../../outside", "..", "", "a/b"} {
		if _, err := s.make(volumes, name, "", about{}); !errors.Is(err, errName) {
			t.Errorf("make %q: %v", name, err)
		}
		if err := s.remove(volumes, name); err != nil {
			t.Errorf("remove %q: %v", name, err)
		}
	}
	if _, err := os.Stat(outside); err != nil {
		t.Fatal(err)
	}
}

func TestACopyThatFailsLeavesNothing(t *testing.T) {
	s := opened(t)
	if _, err := s.make(volumes, "pvc-1", filepath.Join(s.root, "absent"), about{}); err == nil {
		t.Fatal("no error")
	}
	if _, err := s.find(volumes, "pvc-1"); !errors.Is(err, errAbsent) {
		t.Fatal(err)
	}
	left, err := s.list(partial)
	if err != nil || len(left) != 0 {
		t.Fatalf("%v, %v", left, err)
	}
}

func TestTheStartRemovesWhatACrashLeft(t *testing.T) {
	s := opened(t)
	if err := os.MkdirAll(filepath.Join(s.root, partial, "make-1", "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := openStore(s.root); err != nil {
		t.Fatal(err)
	}
	left, err := s.list(partial)
	if err != nil || len(left) != 0 {
		t.Fatalf("%v, %v", left, err)
	}
}
