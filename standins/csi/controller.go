package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// fromBackup is the parameter of a class that names the backup which its volumes are restored from.
const fromBackup = "fromBackup"

type controller struct {
	csi.UnimplementedControllerServer
	store *store
}

func (controller) ControllerGetCapabilities(context.Context, *csi.ControllerGetCapabilitiesRequest) (*csi.ControllerGetCapabilitiesResponse, error) {
	kinds := []csi.ControllerServiceCapability_RPC_Type{
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME,
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_SNAPSHOT,
		csi.ControllerServiceCapability_RPC_LIST_SNAPSHOTS,
		csi.ControllerServiceCapability_RPC_CLONE_VOLUME,
	}
	answer := &csi.ControllerGetCapabilitiesResponse{}
	for _, kind := range kinds {
		rpc := &csi.ControllerServiceCapability_RPC{Type: kind}
		answer.Capabilities = append(answer.Capabilities, &csi.ControllerServiceCapability{
			Type: &csi.ControllerServiceCapability_Rpc{Rpc: rpc},
		})
	}
	return answer, nil
}

func (c controller) CreateVolume(_ context.Context, r *csi.CreateVolumeRequest) (*csi.CreateVolumeResponse, error) {
	for _, capability := range r.VolumeCapabilities {
		if capability.GetBlock() != nil {
			return nil, status.Error(codes.InvalidArgument, "the stand-in has no block volumes")
		}
	}
	from, source, err := c.content(r.VolumeContentSource)
	if err != nil {
		return nil, err
	}
	wanted := about{Bytes: r.GetCapacityRange().GetRequiredBytes(), Source: source, Made: time.Now()}
	// As with Longhorn, what the claim starts as a copy of comes before what its class says.
	if source == "" && r.Parameters[fromBackup] != "" {
		if wanted.FromBackup, err = backup(r.Parameters[fromBackup]); err != nil {
			return nil, err
		}
		// The moment is part of it, so that nothing that was meant for another volume of the
		// same name, one that is gone, is ever taken for its content.
		wanted.Awaits = fmt.Sprintf("%s-%d", r.Name, wanted.Made.UnixNano())
	}
	found, err := c.store.make(volumes, r.Name, from, wanted)
	if err != nil {
		return nil, said(err)
	}
	if found.Bytes != wanted.Bytes || found.Source != source || found.FromBackup != wanted.FromBackup {
		return nil, status.Errorf(codes.AlreadyExists, "volume %s is there with another size or source", r.Name)
	}
	return &csi.CreateVolumeResponse{Volume: &csi.Volume{
		VolumeId:      r.Name,
		CapacityBytes: found.Bytes,
		VolumeContext: r.Parameters,
		ContentSource: r.VolumeContentSource,
	}}, nil
}

// backup is the URL of a backup, if it is one. Whether there is such a backup, Longhorn knows.
func backup(text string) (string, error) {
	parsed, err := url.Parse(text)
	if err == nil && names.MatchString(parsed.Query().Get("backup")) && names.MatchString(parsed.Query().Get("volume")) {
		return text, nil
	}
	return "", status.Errorf(codes.Internal, "cannot get backup and volume name from backup URL %s", text)
}

// content is the folder that a new volume starts as a copy of, and the name of what that is.
func (c controller) content(source *csi.VolumeContentSource) (string, string, error) {
	kind, name := "", ""
	switch {
	case source.GetSnapshot() != nil:
		kind, name = snapshots, source.GetSnapshot().SnapshotId
	case source.GetVolume() != nil:
		kind, name = volumes, source.GetVolume().VolumeId
	default:
		return "", "", nil
	}
	found, err := c.store.find(kind, name)
	if err != nil {
		return "", "", said(err)
	}
	if err := c.store.settle(name, found); err != nil {
		return "", "", unready(name, err)
	}
	return c.store.data(kind, name), kind + "/" + name, nil
}

func (c controller) DeleteVolume(_ context.Context, r *csi.DeleteVolumeRequest) (*csi.DeleteVolumeResponse, error) {
	return &csi.DeleteVolumeResponse{}, said(c.store.remove(volumes, r.VolumeId))
}

func (c controller) ValidateVolumeCapabilities(_ context.Context, r *csi.ValidateVolumeCapabilitiesRequest) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	if _, err := c.store.find(volumes, r.VolumeId); err != nil {
		return nil, said(err)
	}
	confirmed := &csi.ValidateVolumeCapabilitiesResponse_Confirmed{VolumeCapabilities: r.VolumeCapabilities}
	return &csi.ValidateVolumeCapabilitiesResponse{Confirmed: confirmed}, nil
}

func (c controller) CreateSnapshot(_ context.Context, r *csi.CreateSnapshotRequest) (*csi.CreateSnapshotResponse, error) {
	volume, err := c.store.find(volumes, r.SourceVolumeId)
	if err != nil {
		return nil, said(err)
	}
	if err := c.store.settle(r.SourceVolumeId, volume); err != nil {
		return nil, unready(r.SourceVolumeId, err)
	}
	from := c.store.data(volumes, r.SourceVolumeId)
	wanted := about{Bytes: volume.Bytes, Source: r.SourceVolumeId, Made: time.Now()}
	found, err := c.store.make(snapshots, r.Name, from, wanted)
	if err != nil {
		return nil, said(err)
	}
	if found.Source != r.SourceVolumeId {
		return nil, status.Errorf(codes.AlreadyExists, "snapshot %s is there and of another volume", r.Name)
	}
	return &csi.CreateSnapshotResponse{Snapshot: snapshotOf(r.Name, found)}, nil
}

func (c controller) DeleteSnapshot(_ context.Context, r *csi.DeleteSnapshotRequest) (*csi.DeleteSnapshotResponse, error) {
	return &csi.DeleteSnapshotResponse{}, said(c.store.remove(snapshots, r.SnapshotId))
}

// ListSnapshots is how csi-snapshotter asks whether a snapshot is still there and ready.
func (c controller) ListSnapshots(_ context.Context, r *csi.ListSnapshotsRequest) (*csi.ListSnapshotsResponse, error) {
	listed, err := c.store.list(snapshots)
	if err != nil {
		return nil, said(err)
	}
	answer := &csi.ListSnapshotsResponse{}
	for _, name := range listed {
		found, err := c.store.find(snapshots, name)
		// One that is being removed right now is not there.
		if errors.Is(err, errAbsent) {
			continue
		}
		if err != nil {
			return nil, said(err)
		}
		if (r.SnapshotId == "" || r.SnapshotId == name) && (r.SourceVolumeId == "" || r.SourceVolumeId == found.Source) {
			answer.Entries = append(answer.Entries, &csi.ListSnapshotsResponse_Entry{Snapshot: snapshotOf(name, found)})
		}
	}
	return answer, nil
}

func snapshotOf(name string, found about) *csi.Snapshot {
	return &csi.Snapshot{
		SnapshotId:     name,
		SourceVolumeId: found.Source,
		SizeBytes:      found.Bytes,
		CreationTime:   timestamppb.New(found.Made),
		ReadyToUse:     true,
	}
}

// unready says that a volume has no content yet, with the code and in the words of Longhorn's driver.
func unready(name string, err error) error {
	if errors.Is(err, errAwaits) || errors.Is(err, errFault) {
		return status.Errorf(codes.Aborted, "volume %s is not ready for workloads: %v", name, err)
	}
	return said(err)
}

// said gives an error the code that the callers tell apart.
func said(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errAbsent):
		return status.Error(codes.NotFound, err.Error())
	case errors.Is(err, errName):
		return status.Error(codes.InvalidArgument, err.Error())
	default:
		return status.Error(codes.Internal, err.Error())
	}
}
