package main

import (
	"context"
	"errors"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

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
	bytes := r.GetCapacityRange().GetRequiredBytes()
	found, err := c.store.make(volumes, r.Name, from, about{Bytes: bytes, Source: source, Made: time.Now()})
	if err != nil {
		return nil, said(err)
	}
	if found.Bytes != bytes || found.Source != source {
		return nil, status.Errorf(codes.AlreadyExists, "volume %s is there with another size or source", r.Name)
	}
	return &csi.CreateVolumeResponse{Volume: &csi.Volume{
		VolumeId:      r.Name,
		CapacityBytes: found.Bytes,
		ContentSource: r.VolumeContentSource,
	}}, nil
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
	if _, err := c.store.find(kind, name); err != nil {
		return "", "", said(err)
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
